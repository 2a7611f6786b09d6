// Memory in large pages where the system has them to give, for arrays that are read here and there: a look at another
// place then seldom has to find its page first.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace sagedock {

constexpr std::size_t large_page = std::size_t{2} << 20;  // bytes

// An allocator of standard containers; what is smaller than a large page is allocated as ever.
template <class Element>
struct LargePages {
    using value_type = Element;

    LargePages() = default;
    template <class Other>
    LargePages(const LargePages<Other>&) {}

    Element* allocate(std::size_t count) {
        const std::size_t bytes = count * sizeof(Element), page = bytes < large_page ? alignof(Element) : large_page;
        const std::size_t whole = (bytes + page - 1) / page * page;
        void* const memory = std::aligned_alloc(page < sizeof(void*) ? sizeof(void*) : page, whole);
        if (memory == nullptr) throw std::bad_alloc();
#ifdef __linux__
        if (page == large_page) madvise(memory, whole, MADV_HUGEPAGE);  // advice, which may be without effect
#endif
        return static_cast<Element*>(memory);
    }

    void deallocate(Element* memory, std::size_t) { std::free(memory); }

    bool operator==(const LargePages&) const { return true; }
    bool operator!=(const LargePages&) const { return false; }
};

}  // namespace sagedock
