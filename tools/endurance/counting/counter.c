/* A plug-in for QEMU's user mode: counts the guest's instructions, and tells the count wherever the guest asks.
 *
 * The guest asks by the system call sched_get_priority_max(MARK + n), which has no effect but an error; the plug-in
 * then writes a line `n instructions` to its output. A program that is being counted names its phases so.
 *
 * Debian packages no header for plug-ins; these are the declarations of the interface's version 1 that are needed
 * (QEMU 4.2 to 8.2, docs/devel/tcg-plugins). One counter for all threads, added to without a lock: count programs of
 * one thread at work at a time.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct tb;

enum inline_op { ADD_U64 };
enum callback_flags { NO_REGISTERS };

typedef void (*on_translation)(plugin_id id, struct tb *block);
typedef void (*on_syscall)(plugin_id id, unsigned cpu, int64_t number, uint64_t first, uint64_t, uint64_t, uint64_t,
                           uint64_t, uint64_t, uint64_t, uint64_t);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, on_translation callback);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id id, on_syscall callback);
void qemu_plugin_register_vcpu_tb_exec_inline(struct tb *block, enum inline_op op, void *counter, uint64_t value);
size_t qemu_plugin_tb_n_insns(const struct tb *block);

EXPORT int qemu_plugin_version = 1;

enum { SCHED_GET_PRIORITY_MAX = 125, MARK = 0x65640000, MARKS = 0x10000 }; /* the call's number on aarch64 */

static uint64_t instructions;
static FILE *output;

static void translated(plugin_id id, struct tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &instructions, qemu_plugin_tb_n_insns(block));
}

static void called(plugin_id id, unsigned cpu, int64_t number, uint64_t first, uint64_t b, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    (void)id, (void)cpu, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number == SCHED_GET_PRIORITY_MAX && (first & ~(uint64_t)(MARKS - 1)) == MARK) {
        fprintf(output, "%" PRIu64 " %" PRIu64 "\n", first - MARK, instructions);
        fflush(output);
    }
}

/* Option: out=FILE. */
EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    const char *name = NULL;
    (void)info;
    for (int i = 0; i < argc; i++)
        if (argv[i][0] == 'o' && argv[i][1] == 'u' && argv[i][2] == 't' && argv[i][3] == '=')
            name = argv[i] + 4;
    output = name ? fopen(name, "w") : stderr;
    if (!output)
        return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
