/*
 * Makes and frees the room, and shows the newest edition. Decides nothing. Called by service/, and by whoever reviews
 * or judges on the control thread.
 */
#include "inside.h"

#include <stdlib.h>

struct rely_control *rely_control_new(const struct rely_config *config, struct rely_log_ring *ring, size_t workers,
                                      const struct rely_control_hooks *hooks)
{
    struct rely_control *control = rely_alloc(sizeof *control);
    *control = (struct rely_control){.config = config, .ring = ring, .hooks = *hooks, .worker_count = workers};
    control->acknowledged = rely_alloc(workers * sizeof *control->acknowledged);
    return control;
}

void rely_control_free(struct rely_control *control)
{
    if (control == NULL)
        return;
    if (control->snapshot != NULL) {
        rely_edition_free_keysets(control->snapshot);
        rely_snapshot_free_all(control->snapshot);
    }
    free(control->acknowledged);
    free(control);
}

const struct rely_snapshot *rely_control_snapshot(const struct rely_control *control)
{
    return control->snapshot;
}
