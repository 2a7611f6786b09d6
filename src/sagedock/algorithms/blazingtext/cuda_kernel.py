"""Skip-gram on a GPU by one kernel, which NVIDIA's NVRTC compiles when training begins.

A warp of 32 threads takes one centre word after another: its targets' rows are in shared memory, each context's row
goes through registers, and what both have learnt is added to the matrices at once, as by threads without locks (Recht
et al., Hogwild!, 2011). How many warps there are bounds how stale a row can be. The same by calls of torch is
`cuda.DeviceVectorTrainer`'s other way, for what the kernel is not made for.
"""

from __future__ import annotations

import ctypes
import logging
from typing import Any

import torch
from torch import Tensor

from sagedock.algorithms.blazingtext.vectors import CBOW, VectorSettings, WordRows

log = logging.getLogger(__name__)

_WARPS = 2048  # at work at most: with more, rows that come often are so stale that vectors get worse
_WORDS_OF_A_WARP = 4  # of the vocabulary at least, for the same reason
_BLOCK_WARPS = 4  # in a block at most
_SHARED = 48 << 10  # bytes of a block's shared memory
_MOST_TARGETS = 32  # one for each thread of a warp

SOURCE = """
extern "C" __global__ void learn(
    float* input, float* output,                 // (rows, width)
    const long long* words, const float* near,   // (centres, contexts): near is 0 where there is no context
    const long long* targets, const float* weights,  // (centres, count): words, the centre first
    int centres, int contexts, int count, int width, float rate)
{
    extern __shared__ float memory[];
    const int lane = threadIdx.x % 32, warps = blockDim.x / 32, warp = threadIdx.x / 32;
    float* const rows = memory + warp * 2 * count * width;  // of the targets
    float* const moves = rows + count * width;
    for (int centre = blockIdx.x * warps + warp; centre < centres; centre += gridDim.x * warps) {
        const long long* const target = targets + (long long)centre * count;
        for (int t = 0; t < count; ++t) {
            const float* const row = output + target[t] * width;
            for (int i = lane; i < width; i += 32) {
                rows[t * width + i] = row[i];
                moves[t * width + i] = 0;
            }
        }
        for (int c = 0; c < contexts; ++c) {
            const long long place = (long long)centre * contexts + c;
            if (near[place] == 0) continue;
            float* const hidden = input + words[place] * width;
            float error = 0;  // of target number `lane`
            for (int t = 0; t < count; ++t) {
                float product = 0;
                for (int i = lane; i < width; i += 32) product += hidden[i] * rows[t * width + i];
                for (int apart = 16; apart; apart /= 2) product += __shfl_xor_sync(0xFFFFFFFF, product, apart);
                if (lane == t) error = ((t == 0) - 1 / (1 + __expf(-product))) * weights[(long long)centre * count + t];
            }
            for (int first = 0; first < width; first += 32) {
                const int i = first + lane;
                const float value = i < width ? hidden[i] : 0;
                float gradient = 0;
                for (int t = 0; t < count; ++t) {
                    const float its = __shfl_sync(0xFFFFFFFF, error, t);
                    if (i >= width) continue;
                    gradient += its * rows[t * width + i];
                    moves[t * width + i] += its * value;
                }
                if (i < width) atomicAdd(hidden + i, rate * gradient);
            }
        }
        for (int t = 0; t < count; ++t) {
            float* const row = output + target[t] * width;
            for (int i = lane; i < width; i += 32) atomicAdd(row + i, rate * moves[t * width + i]);
        }
    }
}
"""
_ARGUMENTS = (*6 * [ctypes.c_void_p], *4 * [ctypes.c_int], ctypes.c_float)


def compiled(capability: tuple[int, int]) -> bytes:
    """The kernel's machine code for GPUs of a compute capability; needs no GPU.

    Raises ImportError without NVIDIA's bindings, RuntimeError with what NVRTC says.
    """
    from cuda.bindings import nvrtc

    program = _checked(nvrtc.nvrtcCreateProgram(SOURCE.encode(), b"skipgram.cu", 0, [], []))
    _checked(nvrtc.nvrtcCompileProgram(program, 1, [b"--gpu-architecture=sm_%d%d" % capability]))
    code = bytes(_checked(nvrtc.nvrtcGetCUBINSize(program)))
    _checked(nvrtc.nvrtcGetCUBIN(program, code))
    _checked(nvrtc.nvrtcDestroyProgram(program))
    return code


class SkipgramKernel:
    """The kernel, loaded on the current GPU, for so many words of so many targets each, and vectors of one width."""

    def __init__(self, words: int, targets: int, width: int) -> None:
        from cuda.bindings import driver

        bytes_of_a_warp = 2 * targets * width * 4
        warps = max(min(words // _WORDS_OF_A_WARP, _WARPS), 1)
        of_a_block = min(_BLOCK_WARPS, _SHARED // bytes_of_a_warp, warps)
        self._shape = (warps // of_a_block, 1, 1, 32 * of_a_block, 1, 1, of_a_block * bytes_of_a_warp)
        self._launch = driver.cuLaunchKernel
        module = _checked(driver.cuModuleLoadData(compiled(torch.cuda.get_device_capability())))
        self._learn = _checked(driver.cuModuleGetFunction(module, b"learn"))

    def __call__(self, *tensors: Tensor, rate: float) -> None:
        """Learn some centres.

        The tensors are input, output, the contexts' words and which of them are near (centres, contexts), and the
        targets' words and weights (centres, targets), all of them contiguous and on the GPU.
        """
        sizes = (*tensors[2].shape, tensors[4].shape[1], tensors[0].shape[1])
        arguments = (*(tensor.data_ptr() for tensor in tensors), *sizes, rate)
        stream = torch.cuda.current_stream().cuda_stream
        _checked(self._launch(self._learn, *self._shape, stream, (arguments, _ARGUMENTS), 0))


def skipgram_kernel(settings: VectorSettings, rows: WordRows, device: torch.device) -> SkipgramKernel | None:
    """The kernel, where it is made for these settings and this device, and can be compiled; else None."""
    targets = 1 + settings.negative_samples
    fits = targets <= _MOST_TARGETS and 2 * targets * settings.vector_dim * 4 <= _SHARED
    if device.type != "cuda" or settings.mode == CBOW or not rows.is_single or not fits:
        return None
    try:
        return SkipgramKernel(rows.count, targets, settings.vector_dim)
    except (ImportError, RuntimeError) as error:
        log.warning(
            "skip-gram's kernel cannot be used on this GPU, so that an epoch takes several times as long: %s", error
        )
        return None


def _checked(answer: tuple[Any, ...]) -> Any:
    """What a call of NVIDIA's libraries gives beside its code, or RuntimeError for a code that is not 0."""
    code, *rest = answer
    if int(code) != 0:
        raise RuntimeError(str(code))
    return rest[0] if rest else None
