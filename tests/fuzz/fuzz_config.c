/*
 * Configuration files: no bytes crash the reader, a refusal always has a complaint, and what is accepted is printed as
 * a file that is accepted again and prints the same.
 */
#include <stdlib.h>

#include "relyd/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct rely_config *config)
{
    struct rely_config again;
    struct rely_buf complaints = {0};
    struct rely_buf first = {0};
    struct rely_buf second = {0};
    rely_config_print(config, &first);
    rely_config_init(&again);
    RELY_ASSERT(rely_config_parse(&again, "again", rely_buf_slice(&first), &complaints));
    rely_config_print(&again, &second);
    RELY_ASSERT(rely_slice_equal(rely_buf_slice(&first), rely_buf_slice(&second)));
    rely_config_fini(&again);
    rely_buf_fini(&complaints);
    rely_buf_fini(&first);
    rely_buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_config config;
    struct rely_buf complaints = {0};
    rely_config_init(&config);
    bool is_good = rely_config_parse(&config, "fuzz", rely_slice((const char *)data, size), &complaints);
    RELY_ASSERT(is_good == (complaints.len == 0));
    RELY_ASSERT(complaints.len < 200000);
    if (is_good)
        check_round_trip(&config);
    rely_config_fini(&config);
    rely_buf_fini(&complaints);
    return 0;
}
