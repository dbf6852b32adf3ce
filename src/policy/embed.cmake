# Writes presets as C: cmake -DFOLDER=policies/presets -DNAMES="a b" -DOUT=built_in.c -P embed.cmake
separate_arguments(NAMES UNIX_COMMAND "${NAMES}")
set(arrays "")
set(rows "")
foreach(name ${NAMES})
    string(REPLACE "-" "_" word "${name}")
    file(READ "${FOLDER}/${name}.yaml" hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
    string(APPEND arrays "static const unsigned char preset_${word}[] = {\n${bytes}};\n")
    string(APPEND rows "    {\"policies/presets/${name}.yaml\", preset_${word}, sizeof preset_${word}},\n")
endforeach()
file(WRITE "${OUT}" "/* Made by embed.cmake of the files of policies/presets. */\n#include \"policy.h\"\n\n${arrays}\n"
    "const struct rely_built_in rely_built_in_presets[] = {\n${rows}};\n"
    "const size_t rely_built_in_preset_count = sizeof rely_built_in_presets / sizeof rely_built_in_presets[0];\n")
