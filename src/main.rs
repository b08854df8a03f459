//! The binary; everything is in the library.

// Some 60 small things are made and dropped for an alert; docs/performance.md has what this allocator saves.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    opsbell::cli::main()
}
