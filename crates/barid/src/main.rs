//! The `barid` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages, which the system then counts and keeps whole: 12 MiB more for a process that rests.
    // Where the system refuses, that is all the difference.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    barid_app::cli::run()
}
