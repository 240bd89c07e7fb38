/* The model of copies between memory nodes; see link.h. */
#include "model/link.h"
#include <math.h>
#include <stddef.h>
#include "base/assert.h"

#define LINK_SMALLEST_LOG2 8
#define LINK_SPAN 8.0   /* sizes that differ by less say nothing about latency against bandwidth */
#define LINK_FADE 16.0  /* copies after which a size that is not seen again counts half */
#define LINK_FULL 3     /* copies of a size that make it count in full */
#define LINK_ROUNDS 4   /* of weighing down what lies off the line */
#define LINK_OFF 0.25   /* relative distance from which that begins (P. Huber, 1964) */
#define LINK_ALONE 1.05 /* users on average that disturb nobody */
#define LINK_YOUNG 64u  /* copies after which only surprises and every ninth lead to a fit */

/* One size as the fit sees it. */
struct link_point {
    double bytes, ns, weight;
};

void link_init(struct link *links, const struct alloc_hooks *hooks)
{
    links->hooks = hooks;
    for (uint32_t src = 0; src < LIMITS_NODES; src++) {
        for (uint32_t dst = 0; dst < LIMITS_NODES; dst++) {
            links->pairs[src][dst].seen = NULL;
            if (src == dst)
                link_set_default(links, src, dst, LINK_LOCAL_LATENCY_NS, LINK_LOCAL_BYTES_PER_NS);
            else
                link_set_default(links, src, dst, LINK_DEFAULT_LATENCY_NS,
                                 LINK_DEFAULT_BYTES_PER_NS);
        }
    }
}

void link_fini(struct link *links)
{
    if (links == NULL)
        return;
    for (uint32_t i = 0; i < LIMITS_NODES * LIMITS_NODES; i++) {
        struct link_pair *pair = &links->pairs[i / LIMITS_NODES][i % LIMITS_NODES];
        alloc_put(links->hooks, pair->seen, sizeof *pair->seen);
        pair->seen = NULL;
    }
}

static double link_line(const struct link_pair *pair, double bytes)
{
    return pair->latency_ns + pair->ns_per_byte * bytes;
}

/* The copy of this size whose time is the median, measured by the line as it was. */
static struct link_point link_median(const struct link_pair *pair, const struct link_size *size)
{
    double ratios[LINK_SAMPLES] = {0};
    uint32_t order[LINK_SAMPLES] = {0};
    for (uint32_t i = 0; i < size->count; i++) {
        double ratio = (double)size->ns[i] / link_line(pair, (double)size->bytes[i]);
        uint32_t at = i;
        for (; at > 0 && ratios[at - 1] > ratio; at--) {
            ratios[at] = ratios[at - 1];
            order[at] = order[at - 1];
        }
        ratios[at] = ratio;
        order[at] = i;
    }
    uint32_t median = order[(size->count - 1) / 2];
    double age = (double)(pair->seen->copies - size->seen) / LINK_FADE;
    double full = size->count < LINK_FULL ? (double)size->count / LINK_FULL : 1.0;
    return (struct link_point){(double)size->bytes[median], (double)size->ns[median],
                               full / (1.0 + age)};
}

static uint32_t link_gather(const struct link_pair *pair, struct link_point *points)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < LINK_SIZES; i++) {
        if (pair->seen->sizes[i].count > 0)
            points[count++] = link_median(pair, &pair->seen->sizes[i]);
    }
    return count;
}

/* Sizes of one order only: corrects the part that matters there, believes the default for the
 * other. */
static void link_fit_one(struct link_pair *pair, const struct link_point *points, uint32_t count)
{
    double w = 0, bytes = 0, ns = 0;
    for (uint32_t i = 0; i < count; i++) {
        w += points[i].weight;
        bytes += points[i].weight * points[i].bytes;
        ns += points[i].weight * points[i].ns;
    }
    bytes /= w;
    ns /= w;
    double latency = pair->default_latency_ns;
    double moving = pair->default_ns_per_byte * bytes;
    double scale = ns / (latency + moving);
    bool is_latency = latency >= moving;
    double corrected = ns - (is_latency ? moving : latency);
    if (corrected < ns / 10) { /* both were too slow */
        latency *= scale;
        moving *= scale;
    } else if (is_latency) {
        latency = corrected;
    } else {
        moving = corrected;
    }
    pair->latency_ns = latency;
    pair->ns_per_byte = moving / bytes;
}

/* Least squares of the relative errors of a + b * bytes, with a, b >= 0. */
static void link_fit_line(struct link_pair *pair, const struct link_point *points, uint32_t count)
{
    double uu = 0, uv = 0, vv = 0, u1 = 0, v1 = 0;
    for (uint32_t i = 0; i < count; i++) {
        double off = fabs(link_line(pair, points[i].bytes) / points[i].ns - 1.0);
        double w = points[i].weight / fmax(1.0, off / LINK_OFF);
        double u = 1.0 / points[i].ns, v = points[i].bytes / points[i].ns;
        uu += w * u * u;
        uv += w * u * v;
        vv += w * v * v;
        u1 += w * u;
        v1 += w * v;
    }
    double det = uu * vv - uv * uv;
    double a = det > 1e-12 * uu * vv ? (u1 * vv - v1 * uv) / det : 0.0;
    double b = det > 1e-12 * uu * vv ? (v1 * uu - u1 * uv) / det : v1 / vv;
    if (a < 0) {
        a = 0;
        b = v1 / vv;
    }
    if (b < 0) {
        b = 0;
        a = u1 / uu;
    }
    pair->latency_ns = a;
    pair->ns_per_byte = b;
}

/* How much slower the last copies were than the line says; the oldest first, so that a step shows.
 */
static double link_scale(const struct link_pair *pair)
{
    const struct link_seen *seen = pair->seen;
    struct recent ratios = {0};
    uint32_t count = seen->copies < RECENT_SAMPLES ? seen->copies : RECENT_SAMPLES;
    for (uint32_t i = seen->copies - count; i != seen->copies; i++) {
        uint32_t at = i % RECENT_SAMPLES;
        recent_follow(&ratios, (float)((double)seen->last_ns[at] /
                                       link_line(pair, (double)seen->last_bytes[at])));
    }
    return (double)recent_estimate(&ratios);
}

static void link_fit(struct link_pair *pair)
{
    struct link_point points[LINK_SIZES];
    uint32_t count = link_gather(pair, points);
    if (points[count - 1].bytes < LINK_SPAN * points[0].bytes) {
        link_fit_one(pair, points, count);
    } else {
        for (int round = 0; round < LINK_ROUNDS; round++)
            link_fit_line(pair, points, count);
    }
    double scale = link_scale(pair);
    if (isfinite(scale) && scale > 0) {
        pair->latency_ns *= scale;
        pair->ns_per_byte *= scale;
    }
}

void link_set_default(struct link *links, uint32_t src, uint32_t dst, double latency_ns,
                      double bytes_per_ns)
{
    FGPU_ASSERT(src < LIMITS_NODES && dst < LIMITS_NODES && latency_ns >= 0 && bytes_per_ns > 0);
    struct link_pair *pair = &links->pairs[src][dst];
    pair->default_latency_ns = latency_ns;
    pair->default_ns_per_byte = 1.0 / bytes_per_ns;
    if (pair->seen == NULL) {
        pair->latency_ns = latency_ns;
        pair->ns_per_byte = 1.0 / bytes_per_ns;
    } else {
        link_fit(pair);
    }
}

static uint32_t link_size_index(uint64_t bytes)
{
    uint32_t high = 63u - (uint32_t)__builtin_clzll(bytes);
    if (high < LINK_SMALLEST_LOG2)
        return 0;
    high -= LINK_SMALLEST_LOG2;
    return high < LINK_SIZES ? high : LINK_SIZES - 1;
}

static struct link_seen *link_seen_of(struct link *links, struct link_pair *pair)
{
    if (pair->seen == NULL)
        pair->seen = alloc_get_zeroed(links->hooks, sizeof *pair->seen, _Alignof(struct link_seen));
    return pair->seen;
}

void link_learn(struct link *links, uint32_t src, uint32_t dst, uint64_t bytes,
                uint64_t measured_ns)
{
    FGPU_ASSERT(src < LIMITS_NODES && dst < LIMITS_NODES);
    struct link_pair *pair = &links->pairs[src][dst];
    if (bytes == 0 || measured_ns == 0 || link_seen_of(links, pair) == NULL)
        return;
    struct link_size *size = &pair->seen->sizes[link_size_index(bytes)];
    uint32_t last = pair->seen->copies % RECENT_SAMPLES;
    float ns = fminf((float)measured_ns, (float)LINK_NS_MAX);
    pair->seen->last_bytes[last] = (float)bytes;
    pair->seen->last_ns[last] = ns;
    size->bytes[size->next] = (float)bytes;
    size->ns[size->next] = ns;
    size->next = (uint8_t)((size->next + 1) % LINK_SAMPLES);
    if (size->count < LINK_SAMPLES)
        size->count++;
    size->seen = ++pair->seen->copies;
    double ratio = (double)ns / link_line(pair, (double)bytes);
    bool as_expected = fabs(ratio - 1.0) < LINK_OFF;
    if (!as_expected || pair->seen->copies < LINK_YOUNG || last == 0)
        link_fit(pair);
}

void link_learn_shared(struct link *links, uint32_t src, uint32_t dst, uint64_t bytes,
                       uint64_t measured_ns, double users)
{
    FGPU_ASSERT(src < LIMITS_NODES && dst < LIMITS_NODES);
    const struct link_pair *pair = &links->pairs[src][dst];
    if (users < LINK_ALONE) {
        link_learn(links, src, dst, bytes, measured_ns);
        return;
    }
    double ns = (double)measured_ns, line = link_line(pair, (double)bytes), least = ns;
    if (ns > pair->latency_ns)
        least = pair->latency_ns + (ns - pair->latency_ns) / users;
    if (line > ns && link_is_measured(links, src, dst))
        link_learn(links, src, dst, bytes, measured_ns);
    else if (line < least || !link_is_measured(links, src, dst))
        link_learn(links, src, dst, bytes, (uint64_t)(least + 0.5));
}

static uint64_t link_overlap(const struct link_span *a, const struct link_span *b)
{
    uint64_t start = a->start_ns > b->start_ns ? a->start_ns : b->start_ns;
    uint64_t end = a->end_ns < b->end_ns ? a->end_ns : b->end_ns;
    return start < end ? end - start : 0;
}

void link_learn_span(struct link *links, uint32_t src, uint32_t dst, uint64_t bytes,
                     const struct link_span *span)
{
    FGPU_ASSERT(src < LIMITS_NODES && dst < LIMITS_NODES);
    struct link_seen *seen = links->pairs[src][dst].seen;
    if (span->end_ns <= span->start_ns)
        return;
    uint64_t ns = span->end_ns - span->start_ns;
    double others = (double)span->others_ns;
    for (uint32_t i = 0; seen != NULL && i < LINK_SPANS; i++)
        others += (double)link_overlap(span, &seen->ended[i]);
    link_learn_shared(links, src, dst, bytes, ns, 1.0 + others / (double)ns);
    seen = links->pairs[src][dst].seen;
    if (seen != NULL)
        seen->ended[seen->spans++ % LINK_SPANS] = *span;
}
