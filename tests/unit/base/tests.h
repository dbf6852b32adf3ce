/* The groups of this binary. */
#ifndef RELYD_TESTS_UNIT_BASE_H
#define RELYD_TESTS_UNIT_BASE_H

int run_base_tests(void);
int run_text_tests(void);
int run_map_tests(void);

#endif
