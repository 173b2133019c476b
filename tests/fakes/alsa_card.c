/* A sound card in user space, for ALSA as `type edgeasr`: it records a tone of 440 Hz at the speed of the monotonic clock,
 * with the rates, channels and formats that its configuration names. `layout` has a letter for each channel: s sound,
 * i inverted, z zeros. Who is late by more than its buffer has an overrun, as with real cards. */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <math.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    snd_pcm_ioplug_t io;
    struct timespec began;
    snd_pcm_uframes_t taken; /* frames since the start that were handed over */
    char layout[64];
    int fd;
} card;

static double elapsed(const card *c) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - c->began.tv_sec) + 1e-9 * (double)(now.tv_nsec - c->began.tv_nsec);
}
static int card_start(snd_pcm_ioplug_t *io) {
    card *c = io->private_data;
    clock_gettime(CLOCK_MONOTONIC, &c->began);
    c->taken = 0;
    double seconds = (double)io->period_size / io->rate;
    struct itimerspec at = {{(time_t)seconds, (long)(fmod(seconds, 1.0) * 1e9)}, {(time_t)seconds, (long)(fmod(seconds, 1.0) * 1e9)}};
    return timerfd_settime(c->fd, 0, &at, NULL);
}
static int card_stop(snd_pcm_ioplug_t *io) {
    card *c = io->private_data;
    struct itimerspec off = {{0, 0}, {0, 0}};
    return timerfd_settime(c->fd, 0, &off, NULL);
}
static int card_prepare(snd_pcm_ioplug_t *io) {
    card *c = io->private_data;
    clock_gettime(CLOCK_MONOTONIC, &c->began);
    c->taken = 0;
    return 0;
}
static snd_pcm_sframes_t card_pointer(snd_pcm_ioplug_t *io) {
    card *c = io->private_data;
    if (io->state != SND_PCM_STATE_RUNNING) return 0;
    snd_pcm_uframes_t at = (snd_pcm_uframes_t)(elapsed(c) * io->rate);
    if (at > c->taken + io->buffer_size) return -EPIPE;
    return (snd_pcm_sframes_t)(at % io->buffer_size);
}
static snd_pcm_sframes_t card_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas, snd_pcm_uframes_t offset,
                                       snd_pcm_uframes_t size) {
    card *c = io->private_data;
    for (unsigned ch = 0; ch < io->channels; ch++) {
        char what = ch < strlen(c->layout) ? c->layout[ch] : 's';
        for (snd_pcm_uframes_t i = 0; i < size; i++) {
            double value = 0.25 * sin(2 * M_PI * 440 * (double)(c->taken + i) / io->rate);
            value = what == 's' ? value : what == 'i' ? -value : 0.0;
            unsigned char *to = (unsigned char *)areas[ch].addr + (areas[ch].first + (offset + i) * areas[ch].step) / 8;
            switch (io->format) {
                case SND_PCM_FORMAT_S16_LE: *(int16_t *)to = (int16_t)(value * 32767); break;
                case SND_PCM_FORMAT_S32_LE: *(int32_t *)to = (int32_t)(value * 2147483647.0); break;
                case SND_PCM_FORMAT_S24_LE: *(int32_t *)to = (int32_t)(value * 8388607.0) & 0xffffff; break;
                case SND_PCM_FORMAT_S24_3LE: { int32_t v = (int32_t)(value * 8388607.0); to[0] = v; to[1] = v >> 8; to[2] = v >> 16; break; }
                case SND_PCM_FORMAT_FLOAT_LE: *(float *)to = (float)value; break;
                case SND_PCM_FORMAT_U8: *to = (uint8_t)(128 + value * 127); break;
                default: break;
            }
        }
    }
    c->taken += size;
    return (snd_pcm_sframes_t)size;
}
static int card_revents(snd_pcm_ioplug_t *io, struct pollfd *pfds, unsigned int nfds, unsigned short *revents) {
    card *c = io->private_data;
    uint64_t n;
    (void)nfds;
    *revents = 0;
    if (pfds[0].revents & POLLIN) {
        if (read(c->fd, &n, sizeof n) < 0) { }
        *revents = POLLIN;
    }
    return 0;
}
static int card_close(snd_pcm_ioplug_t *io) {
    card *c = io->private_data;
    close(c->fd);
    free(c);
    return 0;
}
static const snd_pcm_ioplug_callback_t callbacks = {
    .start = card_start, .prepare = card_prepare, .stop = card_stop, .pointer = card_pointer, .transfer = card_transfer, .close = card_close, .poll_revents = card_revents};

SND_PCM_PLUGIN_DEFINE_FUNC(edgeasr) {
    snd_config_iterator_t i, next;
    const char *layout = "", *formats = "S16_LE";
    const char *rates = "16000", *channels = "1";
    (void)root;
    snd_config_for_each(i, next, conf) {
        snd_config_t *n = snd_config_iterator_entry(i);
        const char *id;
        if (snd_config_get_id(n, &id) < 0) continue;
        if (!strcmp(id, "layout")) snd_config_get_string(n, &layout);
        if (!strcmp(id, "formats")) snd_config_get_string(n, &formats);
        if (!strcmp(id, "rates")) snd_config_get_string(n, &rates);
        if (!strcmp(id, "channels")) snd_config_get_string(n, &channels);
    }
    if (stream != SND_PCM_STREAM_CAPTURE) return -EINVAL;
    card *c = calloc(1, sizeof *c);
    snprintf(c->layout, sizeof c->layout, "%s", layout);
    c->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    c->io.version = SND_PCM_IOPLUG_VERSION;
    c->io.name = "edgeasr test card";
    c->io.callback = &callbacks;
    c->io.private_data = c;
    c->io.poll_fd = c->fd;
    c->io.poll_events = POLLIN;
    int err = snd_pcm_ioplug_create(&c->io, name, stream, mode);
    if (err < 0) return err;
    unsigned list[16], count;
    char text[256], *save;
    static const unsigned access[] = {SND_PCM_ACCESS_MMAP_INTERLEAVED, SND_PCM_ACCESS_MMAP_NONINTERLEAVED, SND_PCM_ACCESS_RW_INTERLEAVED,
                                      SND_PCM_ACCESS_RW_NONINTERLEAVED};
    snd_pcm_ioplug_set_param_list(&c->io, SND_PCM_IOPLUG_HW_ACCESS, 4, access);
#define LIST(from, expr) count = 0; snprintf(text, sizeof text, "%s", from); \
    for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) list[count++] = (unsigned)(expr);
    LIST(formats, snd_pcm_format_value(w)) snd_pcm_ioplug_set_param_list(&c->io, SND_PCM_IOPLUG_HW_FORMAT, count, list);
    LIST(rates, atoi(w)) snd_pcm_ioplug_set_param_list(&c->io, SND_PCM_IOPLUG_HW_RATE, count, list);
    LIST(channels, atoi(w)) snd_pcm_ioplug_set_param_list(&c->io, SND_PCM_IOPLUG_HW_CHANNELS, count, list);
    snd_pcm_ioplug_set_param_minmax(&c->io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 64, 65536);
    snd_pcm_ioplug_set_param_minmax(&c->io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 256, 262144);
    snd_pcm_ioplug_set_param_minmax(&c->io, SND_PCM_IOPLUG_HW_PERIODS, 2, 16);
    *pcmp = c->io.pcm;
    return 0;
}
SND_PCM_PLUGIN_SYMBOL(edgeasr);
