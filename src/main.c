/*
 * The command line: reads the options and the configuration, and hands over to the service. Exit codes: 0 in order, 1 a
 * fault at run time, 2 a mistake in the command line or the configuration.
 */
#include "relyd/admin.h"
#include "relyd/caller.h"
#include "relyd/config.h"
#include "relyd/json.h"
#include "relyd/observe.h"
#include "relyd/preset.h"
#include "relyd/service.h"
#include "relyd/text.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/relyd/relyd.yaml"

enum action { RUN, CHECK_CONFIG, PRINT_CONFIG, BOOTSTRAP, PRINT_DOCS, PRINT_VERSION, PRINT_HELP };

struct command_line {
    enum action action;
    bool takes_over;
    const char *config_path; /* static or argv; NULL: none */
    const char *docs_page;   /* argv */
    const char *said;        /* static: the option that has named the action; NULL: none has */
};

static const char help[] =
    "relyd checks workload identity tokens and answers allow or deny.\n"
    "\n"
    "usage: relyd [--config FILE] [--take-over | --check-config | --print-config]\n"
    "       relyd --bootstrap\n"
    "       relyd --print-docs settings|metrics|reasons|conditions|tokens|presets|api|openapi\n"
    "\n"
    "  -c, --config FILE    the configuration (default " DEFAULT_CONFIG " when it exists)\n"
    "      --take-over      take the place of the relyd that runs with this admin.socket, without a lost request\n"
    "      --check-config   read the configuration, complain with file:line:column, exit 0 or 2\n"
    "      --print-config   print every setting with its value, unit, bounds and meaning\n"
    "      --bootstrap      make a token for the first administrator, and print it with its line of the configuration\n"
    "      --print-docs P   print a page of the documentation that comes from the tables\n"
    "      --version        print the version\n"
    "  -h, --help           print this\n";

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"take-over", no_argument, NULL, 'T'},
    {"check-config", no_argument, NULL, 'C'},
    {"print-config", no_argument, NULL, 'P'},
    {"bootstrap", no_argument, NULL, 'B'},
    {"print-docs", required_argument, NULL, 'D'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* What was probably meant: the option that a few edits make of it; NULL: none. */
static const char *find_nearest_option(const char *word)
{
    const char *nearest = NULL;
    size_t best = strlen(word) / 3 + 1;
    for (size_t i = 0; options[i].name != NULL; i++) {
        size_t edits = rely_config_count_edits(rely_slice_of(word), rely_slice_of(options[i].name));
        if (edits <= best) {
            best = edits;
            nearest = options[i].name;
        }
    }
    return nearest;
}

static bool refuse_argument(const char *what, const char *argument)
{
    char quoted[RELY_QUOTED_SIZE];
    const char *word = argument + strspn(argument, "-");
    size_t len = strcspn(word, "=");
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : 0), word);
    const char *nearest = find_nearest_option(name);
    fprintf(stderr, "relyd: %s %s", what, rely_quote(rely_slice_of(argument), quoted));
    if (nearest != NULL && strcmp(nearest, name) != 0)
        fprintf(stderr, ", did you mean --%s?", nearest);
    fputc('\n', stderr);
    return false;
}

/* Of letters behind one hyphen getopt says only which one it was. */
static bool refuse_option(const char *argument)
{
    char letter[] = {'-', (char)optopt, '\0'};
    return refuse_argument("no such option:", optopt != 0 && strncmp(argument, "--", 2) != 0 ? letter : argument);
}

/* Whoever asks for two things would get one, and believe that it was both. Asking for help stands above all. */
static bool note_action(struct command_line *line, enum action action, const char *option)
{
    if (line->said != NULL && line->action != action && line->action != PRINT_HELP && action != PRINT_HELP) {
        fprintf(stderr, "relyd: --%s and --%s do not go together\n", line->said, option);
        return false;
    }
    line->action = line->action == PRINT_HELP ? PRINT_HELP : action;
    line->said = option;
    return true;
}

static bool read_command_line(int argc, char **argv, struct command_line *out)
{
    static const struct {
        int letter;
        enum action action;
        const char *option;
    } actions[] = {
        {'T', RUN, "take-over"},       {'C', CHECK_CONFIG, "check-config"}, {'P', PRINT_CONFIG, "print-config"},
        {'B', BOOTSTRAP, "bootstrap"}, {'D', PRINT_DOCS, "print-docs"},     {'V', PRINT_VERSION, "version"},
        {'h', PRINT_HELP, "help"}};
    int letter;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
        if (letter == ':')
            return refuse_argument("no value follows", argv[optind - 1]);
        if (letter == '?')
            return refuse_option(argv[optind - 1]);
        if (letter == 'c')
            out->config_path = optarg;
        for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
            if (actions[i].letter == letter && !note_action(out, actions[i].action, actions[i].option))
                return false;
        if (letter == 'D')
            out->docs_page = optarg;
        if (letter == 'T')
            out->takes_over = true;
    }
    return optind == argc || refuse_argument("no argument is expected beside options, found", argv[optind]);
}

static int print_and_free(struct rely_buf *buf, FILE *to)
{
    size_t written = buf->len == 0 ? 0 : fwrite(buf->ptr, 1, buf->len, to);
    bool is_whole = written == buf->len && fflush(to) == 0;
    rely_buf_fini(buf);
    return is_whole ? 0 : 1;
}

/* What a script needs on standard output, what a person must know on the other. */
static int print_bootstrap(void)
{
    struct rely_buf out = {0};
    rely_bootstrap_print(&out);
    fputs("relyd: a token for the first administrator, which is shown this once and kept nowhere. Put the second line "
          "into the configuration (where `auth:` is there already, its bootstrap_tokens under that), reload relyd "
          "(SIGHUP), and "
          "send the token as Authorization: Bearer. Take the line out again when there is another administrator.\n",
          stderr);
    return print_and_free(&out, stdout);
}

static int print_docs(const char *page)
{
    static const struct {
        const char *page;
        void (*print)(struct rely_buf *out);
    } pages[] = {{"settings", rely_config_print_docs},  {"metrics", rely_metrics_print_docs},
                 {"reasons", rely_reasons_print_docs},  {"tokens", rely_shapes_print_docs},
                 {"presets", rely_presets_print_docs},  {"api", rely_admin_print_docs},
                 {"openapi", rely_admin_print_openapi}, {"conditions", rely_conditions_print_docs}};
    struct rely_buf out = {0};
    rely_json_init();
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(page, pages[i].page) == 0) {
            pages[i].print(&out);
            return print_and_free(&out, stdout);
        }
    }
    fprintf(stderr,
            "relyd: no page %s; there are settings, metrics, reasons, conditions, tokens, presets, api and openapi\n",
            page);
    return 2;
}

static int run_service(const struct rely_service_options *asked)
{
    struct rely_err err = {0};
    rely_json_init();
    if (rely_service_run(asked, &err))
        return 0;
    fprintf(stderr, "relyd: %s\n", err.message);
    return 1;
}

/* What is taken all the same; the service logs it. */
static void print_notes(const struct rely_config *config, const char *path)
{
    for (size_t i = 0; i < config->notes.count; i++) {
        const struct rely_config_note *note = &config->notes.items[i];
        fputs(path, stderr);
        if (note->line > 0)
            fprintf(stderr, ":%zu:%zu", note->line, note->column);
        fprintf(stderr, ": warning: %s\n", note->sentence);
    }
}

static int act_on_config(const struct command_line *line, const struct rely_service_options *asked)
{
    const char *path = asked->config_path;
    struct rely_buf out = {0};
    if (line->action == CHECK_CONFIG) {
        print_notes(asked->config, path == NULL ? "(no file)" : path);
        puts(path != NULL ? "the configuration is right"
                          : "there is no " DEFAULT_CONFIG ", and no --config FILE: every setting has its default");
        return 0;
    }
    if (line->action == PRINT_CONFIG) {
        rely_config_print(asked->config, &out);
        return print_and_free(&out, stdout);
    }
    return run_service(asked);
}

static int load_and_act(const struct command_line *line)
{
    const char *path = line->config_path;
    struct rely_config config;
    struct stat file = {.st_ino = 0};
    struct rely_buf complaints = {0};
    rely_config_init(&config);
    if (path == NULL && access(DEFAULT_CONFIG, F_OK) == 0)
        path = DEFAULT_CONFIG;
    if (path != NULL)
        (void)stat(path, &file); /* what cannot be looked at is complained of when it is read */
    bool is_read = path == NULL || rely_config_load(&config, path, &complaints);
    print_and_free(&complaints, stderr);
    const struct rely_service_options asked = {
        .config = &config, .config_path = path, .config_file = file, .takes_over = line->takes_over};
    int code = is_read ? act_on_config(line, &asked) : 2;
    rely_config_fini(&config);
    return code;
}

int main(int argc, char **argv)
{
    struct command_line line = {.action = RUN};
    if (!read_command_line(argc, argv, &line)) {
        fputs("relyd: relyd --help lists the options\n", stderr);
        return 2;
    }
    switch (line.action) {
    case PRINT_HELP:
        fputs(help, stdout);
        return 0;
    case PRINT_VERSION:
        puts("relyd " RELYD_VERSION);
        return 0;
    case BOOTSTRAP:
        return print_bootstrap();
    case PRINT_DOCS:
        return print_docs(line.docs_page);
    case CHECK_CONFIG:
    case PRINT_CONFIG:
    case RUN:
        break;
    }
    return load_and_act(&line);
}
