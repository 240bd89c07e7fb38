// Every statement there is.
// expect: flow a=READ b=READ_WRITE
// class: flow free
kernel void flow(global const int *a, global int *b, int n)
{
    int i = get_global_id(0), sum = 0;
    for (;;) {
        if (i >= n) break;
        switch (a[i]) {
        case 0:
        case 1 ... 2:
            sum++;
            break;
        case 3: {
            sum += 2;
        }
        default:
            sum--;
        }
        if (sum > 100) goto done; else if (sum < -100) { i++; continue; }
        int j = 0;
        while (j < 2) j++, sum += j;
        do { int j = sum; sum = ~j ^ -j + !j; } while (0);
        i += 64;
    }
done:
    b[get_global_id(0)] = sum > 0 ? sum : b[get_global_id(0)] ? 1 : -1;
    return;
}
