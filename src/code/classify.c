/* Uses and the verdict that follows from them; see classify.h.
 *
 * The verdict is the worst of all uses, its reason the first in the text among the worst.
 */
#include "code/classify.h"

static const struct {
    enum code_slicing slicing;
    const char *sentence;
} uses[CODE_USE_COUNT] = {
#define CODE_USE_ROW(name, verdict, sentence) {CODE_SLICING_##verdict, sentence},
    CODE_USE_LIST(CODE_USE_ROW)
#undef CODE_USE_ROW
};

_Static_assert(CODE_USE_COUNT <= 32, "uses fit one word");

void code_class_note(struct code_class *class, enum code_use use, uint32_t line, const char *detail)
{
    bool known = code_class_uses(class, use);
    class->uses |= 1u << use;
    if (known && class->lines[use] <= line)
        return;
    class->lines[use] = line;
    class->details[use] = detail;
}

void code_class_merge(struct code_class *class, const struct code_class *callee)
{
    for (int use = 0; use < CODE_USE_COUNT; use++)
        if (code_class_uses(callee, (enum code_use)use))
            code_class_note(class, (enum code_use)use, callee->lines[use], callee->details[use]);
    class->size_dims |= callee->size_dims;
}

void code_class_conclude(struct code_class *class, struct code_context *context)
{
    int first = -1;
    class->slicing = CODE_SLICING_FREE;
    for (int use = 0; use < CODE_USE_COUNT; use++) {
        bool worse = uses[use].slicing > class->slicing;
        bool earlier = first >= 0 && uses[use].slicing == class->slicing &&
                       class->lines[use] < class->lines[first];
        if (!code_class_uses(class, (enum code_use)use) || uses[use].slicing == CODE_SLICING_FREE ||
            (!worse && !earlier))
            continue;
        first = use;
        class->slicing = uses[use].slicing;
    }
    class->reason = NULL;
    class->reason_line = 0;
    if (first < 0)
        return;
    const char *detail = class->details[first];
    uint32_t line = class->lines[first];
    const char *begin = "";
    if (line != 0 && first != CODE_USE_DOUBT) /* a doubt names its line itself */
        begin = code_context_sentence(context, "line %u: ", line);
    class->reason_line = line;
    class->reason = code_context_sentence(context, "%sit %s%s%s%s", begin, uses[first].sentence,
                                          detail != NULL ? " (" : "", detail != NULL ? detail : "",
                                          detail != NULL ? ")" : "");
}
