# shellcheck shell=bash
# Sourced by quickstart and tests/run: installs what a package list names and the machine lacks, and nothing else.

# The names in the list files given, without comments.
list_packages() {
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@"
}

# The names on stdin that are not installed.
missing_packages() {
    local name
    while read -r name; do
        if ! dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed; then
            printf '%s\n' "$name"
        fi
    done
}

run_as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# install_packages LIST-FILE...
install_packages() {
    local missing
    if ! command -v dpkg-query >/dev/null; then
        printf 'relyd: this is no Debian system; install the counterparts of these packages yourself: %s\n' "$*" >&2
        return 0
    fi
    mapfile -t missing < <(list_packages "$@" | missing_packages)
    if [ "${#missing[@]}" -eq 0 ]; then
        return 0
    fi
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        printf 'relyd: these packages are missing, and there is neither root nor sudo to install them: %s\n' \
            "${missing[*]}" >&2
        return 1
    fi
    printf 'Installing %d packages: %s\n' "${#missing[@]}" "${missing[*]}"
    run_as_root apt-get -q update
    run_as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "${missing[@]}"
}

# To the current folder. The sandbox user is the caller, because apt's own may not write to a private folder.
fetch_package() {
    apt-get -q -o "APT::Sandbox::User=$(id -un)" download "$1"
}

# unpack_packages LIST-FILE FOLDER: download packages and unpack each to FOLDER/NAME, without installing them.
unpack_packages() {
    local list=$1 folder=$2 name work
    while read -r name; do
        if [ -d "$folder/$name" ]; then
            continue
        fi
        printf 'Unpacking %s to %s\n' "$name" "$folder/$name"
        work=$(mktemp -d)
        if ! (cd "$work" && fetch_package "$name" && dpkg-deb -x ./*.deb unpacked); then
            rm -rf "$work"
            printf 'relyd: could not fetch %s; does "apt-get update" help?\n' "$name" >&2
            return 1
        fi
        mkdir -p "$folder"
        mv "$work/unpacked" "$folder/$name"
        rm -rf "$work"
    done < <(list_packages "$list")
}

# install_modules FOLDER: what conf/setup/npm names to FOLDER/node_modules, in the versions that are locked there. Fails
# where there is neither npm nor a way to install one, or no registry: what needs the modules is skipped then.
install_modules() {
    local folder=$1 kept=conf/setup/npm/package-lock.json
    if cmp -s "$kept" "$folder/package-lock.json" && [ -f "$folder/complete" ]; then
        return 0
    fi
    if ! command -v npm >/dev/null && ! install_packages conf/setup/packages.npm; then
        return 1
    fi
    printf 'Fetching the modules of %s to %s\n' "$kept" "$folder"
    rm -rf "$folder"
    mkdir -p "$folder"
    cp conf/setup/npm/package.json "$kept" "$folder/"
    (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000) &&
        touch "$folder/complete"
}
