//! The `barid` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages, which the system then counts and keeps whole: 12 MiB more for a process that rests.
    // Where the system refuses, that is all the difference.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    barid_app::cli::run(give_back)
}

/// Returns freed memory to the system. The allocator keeps what the start used and freed (training, parsing, the schema) until something
/// asks for it: 8 MiB that a server which rests would hold for ever.
fn give_back() {
    #[expect(
        unsafe_code,
        reason = "a C function without arguments that can be wrong; the allocator's crate has no safe name for it"
    )]
    // SAFETY: `mi_collect` may be called by any thread at any time; it frees nothing that is in use.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    }
}
