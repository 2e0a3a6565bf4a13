/* Training of a perceptron with two hidden layers, written by hand and compiled for its sizes.

   The sizes are macros: N0 inputs, N1 and N2 hidden units, N3 scores; BATCH samples a step, in blocks of BLOCK; so are
   RATE (of learning), STRENGTH (of the L2 penalty), TANH (1, or 0 for relu) and HINGE (1, or 0 for cross-entropy).
   A layer's numbers lie unit by unit, those of a block's samples side by side. Parameters are in the order of
   Module.parameters: for each unit its weights, then its bias. */

#include <math.h>

#define LAYER2 (N1 * (N0 + 1))
#define LAYER3 (LAYER2 + N2 * (N1 + 1))
#define COUNT (LAYER3 + N3 * (N2 + 1))
#define INLINE static inline __attribute__((always_inline))

typedef double Row[BLOCK];

/* s = w·x + b, and x of the next layer: θ(s), or s itself for the scores. */
INLINE void forward(const double *w, int inputs, int units, const Row *x, Row *y, int is_last)
{
    for (int j = 0; j < units; j++, w += inputs + 1) {
        Row s;
        for (int k = 0; k < BLOCK; k++)
            s[k] = w[inputs];
        for (int i = 0; i < inputs; i++)
            for (int k = 0; k < BLOCK; k++)
                s[k] += w[i] * x[i][k];
        for (int k = 0; k < BLOCK; k++)
            y[j][k] = is_last ? s[k] : TANH ? tanh(s[k]) : s[k] > 0 ? s[k] : 0;
    }
}

/* Given δ of a layer, add its weights' slopes to g; and δ of the layer before, unless that is the sample. */
INLINE void backward(const double *w, double *g, int inputs, int units, const Row *x, const Row *delta, Row *before)
{
    for (int j = 0; j < units; j++, g += inputs + 1) {
        for (int i = 0; i < inputs; i++) {
            double sum = 0;
            for (int k = 0; k < BLOCK; k++)
                sum += delta[j][k] * x[i][k];
            g[i] += sum;
        }
        double sum = 0;
        for (int k = 0; k < BLOCK; k++)
            sum += delta[j][k];
        g[inputs] += sum;
    }
    for (int i = 0; before && i < inputs; i++) {
        Row s = {0};
        for (int j = 0; j < units; j++)
            for (int k = 0; k < BLOCK; k++)
                s[k] += w[j * (inputs + 1) + i] * delta[j][k];
        for (int k = 0; k < BLOCK; k++)
            before[i][k] = TANH ? s[k] * (1 - x[i][k] * x[i][k]) : x[i][k] > 0 ? s[k] : 0;
    }
}

/* The sum of the errors of a block, and δ of its scores. */
INLINE double errors(const Row *scores, const double *y, Row *delta)
{
    double total = 0;
    for (int k = 0; k < BLOCK; k++) {
        if (HINGE) {
            double e = 1 - y[k] * scores[0][k];
            total += e > 0 ? e : 0;
            delta[0][k] = e > 0 ? -y[k] / BATCH : 0;
            continue;
        }
        double top = scores[0][k], sum = 0;
        for (int j = 1; j < N3; j++)
            top = scores[j][k] > top ? scores[j][k] : top;
        for (int j = 0; j < N3; j++)
            sum += delta[j][k] = exp(scores[j][k] - top);
        for (int j = 0; j < N3; j++)
            delta[j][k] = (delta[j][k] / sum - (j == (int)y[k])) / BATCH;
        total += top + log(sum) - scores[(int)y[k]][k];
    }
    return total;
}

/* The mean error of a batch plus the penalty; g is their gradient by the parameters p. */
double gradient(const double *p, const Row *x, const double *y, double *g)
{
    static Row x1[N1], x2[N2], scores[N3], delta1[N1], delta2[N2], delta3[N3];
    double error = 0, penalty = 0;
    for (int i = 0; i < COUNT; i++) {
        penalty += p[i] * p[i];
        g[i] = 2 * STRENGTH * p[i];
    }
    for (int start = 0; start < BATCH; start += BLOCK, x += N0, y += BLOCK) {
        forward(p, N0, N1, x, x1, 0);
        forward(p + LAYER2, N1, N2, x1, x2, 0);
        forward(p + LAYER3, N2, N3, x2, scores, 1);
        error += errors(scores, y, delta3);
        backward(p + LAYER3, g + LAYER3, N2, N3, x2, delta3, delta2);
        backward(p + LAYER2, g + LAYER2, N1, N2, x1, delta2, delta1);
        backward(p, g, N0, N1, x, delta1, 0);
    }
    return error / BATCH + STRENGTH * penalty;
}

/* So many steps on batches that follow each other; the error before the last one. */
double train(double *p, const Row *x, const double *y, long batches, long steps)
{
    double g[COUNT], error = 0;
    for (long n = 0; n < steps; n++) {
        long k = n % batches;
        error = gradient(p, x + k * N0 * (BATCH / BLOCK), y + k * BATCH, g);
        for (int i = 0; i < COUNT; i++)
            p[i] -= RATE * g[i];
    }
    return error;
}
