/*
 * Replays a corpus through a fuzz target without libFuzzer: every file of the folders named, in the order of their
 * names. An empty or missing corpus is a failure, so that the test cannot pass by finding nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    size_t cap = 1 << 21;
    uint8_t *data = malloc(cap);
    size_t size = data == NULL ? 0 : fread(data, 1, cap, file);
    fclose(file);
    /* A block of exactly this size, so that ASan sees one byte too far. */
    uint8_t *exact = malloc(size == 0 ? 1 : size);
    if (exact != NULL && data != NULL) {
        memcpy(exact, data, size);
        LLVMFuzzerTestOneInput(exact, size);
    }
    free(exact);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        struct dirent **entries = NULL;
        int found = scandir(argv[i], &entries, NULL, alphasort);
        for (int k = 0; k < found; k++) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], entries[k]->d_name);
            if (entries[k]->d_name[0] != '.')
                count += replay_file(path);
            free(entries[k]);
        }
        free(entries);
    }
    printf("%d inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
