/*
 * The presets that are built in: those of policies/presets and no other, and what is shown of them.
 */
#include "tests.h"

#include <dirent.h>

static void test_all_files_are_built_in(void **state)
{
    (void)state;
    struct rely_presets *presets = rely_presets_new();
    DIR *folder = opendir(RELYD_SOURCE "/policies/presets");
    size_t count = 0;
    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct rely_slice name = rely_slice_of(entry->d_name);
        if (name.ptr[0] == '.')
            continue;
        count++;
        assert_true(name.len > 5);
        if (rely_presets_find(presets, rely_slice(name.ptr, name.len - 5)) == NULL)
            fail_msg("%s is not built in", name.ptr);
    }
    closedir(folder);
    assert_int_equal(count, rely_built_in_preset_count);
    assert_null(rely_presets_find(presets, RELY_LIT("eks.yaml")));
    assert_null(rely_presets_find(presets, RELY_LIT("")));
    rely_presets_free(presets);
    rely_presets_free(NULL);
}

static void test_what_is_shown(void **state)
{
    (void)state;
    struct rely_presets *presets = rely_presets_new();
    RELY_JSON_OWNED struct rely_json *shown = rely_presets_show(presets);
    const struct rely_json *list = rely_json_get(shown, "value");
    struct rely_slice last = RELY_LIT("");
    assert_int_equal(rely_json_size(list), rely_built_in_preset_count);
    for (size_t i = 0; i < rely_json_size(list); i++) {
        const struct rely_json *preset = rely_json_at(list, i);
        struct rely_slice name = rely_policy_text(preset, "name");
        assert_true(rely_slice_compare(&last, &name) < 0);
        last = name;
        assert_non_null(rely_json_get(preset, "issuer"));
        assert_null(rely_json_get(preset, "tests"));
    }
    struct rely_buf text = {0};
    rely_presets_print_names(presets, &text);
    assert_non_null(strstr(text.ptr, "eks, "));
    rely_buf_fini(&text);
    rely_presets_print_docs(&text);
    assert_non_null(strstr(text.ptr, "\n## eks\n"));
    rely_buf_fini(&text);
    rely_presets_free(presets);
}

int run_built_in_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_files_are_built_in),
        cmocka_unit_test(test_what_is_shown),
    };
    return cmocka_run_group_tests_name("built in", tests, NULL, NULL);
}
