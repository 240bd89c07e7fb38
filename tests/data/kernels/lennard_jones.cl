// Structs behind pointers: members read and written one by one.
// expect: forces atoms=READ_WRITE neighbours=READ counts=READ
// expect: energies atoms=READ energy=READ_WRITE:writes_only
// class: forces free
struct vec3 {
    float x, y, z;
};
struct atom {
    struct vec3 position, force;
    int type;
    unsigned int flags;
};

static void add_force(__global struct atom *a, const struct vec3 *f)
{
    a->force.x += f->x;
    a->force.y += f->y;
    (*a).force.z += (*f).z;
}

kernel void forces(global struct atom *atoms, global const int *neighbours,
                   global const int *counts, int stride)
{
    const int i = get_global_id(0);
    struct vec3 sum = {0.0f, 0.0f, 0.0f};
    for (int k = 0; k < counts[i]; ++k) {
        const struct vec3 p = atoms[neighbours[i * stride + k]].position;
        const float dx = atoms[i].position.x - p.x;
        sum.x += dx * native_recip(fma(dx, dx, 1e-3f));
    }
    add_force(&atoms[i], &sum);
}

kernel void energies(global struct atom *atoms, global float *energy)
{
    global struct atom *a = atoms + get_global_id(0);
    energy[get_global_id(0)] = a->force.x * a->force.x + a[0].force.y;
}
