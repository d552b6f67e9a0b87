/* Made by python -m pipeline.tables; do not edit. */
#include "analysis/analysis.h"

/* clang-format off */
const float analysis_weighting[5 * ANALYSIS_N_SECTIONS] = {
    0.975355074f, -1.95071015f, 0.975355074f, 1.95054338f, -0.950876921f,
    0.869936271f, -1.73987254f, 0.869936271f, 1.73885301f, -0.740892068f,
    1.10197195f, 0.689843605f, 0.0387521209f, -0.475021163f, 0.0192741134f,
};
