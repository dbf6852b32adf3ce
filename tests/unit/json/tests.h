/* The groups of this binary. */
#ifndef RELYD_TESTS_UNIT_JSON_H
#define RELYD_TESTS_UNIT_JSON_H

int run_view_tests(void);
int run_view_text_tests(void);
int run_document_tests(void);

#endif
