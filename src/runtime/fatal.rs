//! A panic of the engine or the writer ends the process. A process without them answers health checks and pages nobody;
//! what starts it again finds everything acknowledged in the journal. Panics of adapters are not here: they cost one
//! attempt (`lanes`).

/// Held by a thread that the process must not outlive.
pub(super) struct EndsWith(pub &'static str);

impl Drop for EndsWith {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(
                thread = self.0,
                "panicked; ending the process, which recovers from the journal when started"
            );
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    #[ignore = "ends its process; the test below runs it in one of its own"]
    fn panics_in_a_thread_that_matters() {
        let thread = std::thread::spawn(|| {
            let _ends = EndsWith("engine");
            panic!("on purpose");
        });
        let _ = thread.join();
    }

    #[test]
    fn a_panic_ends_the_process_and_an_ordinary_end_does_not() {
        drop(EndsWith("engine"));
        let tests = std::env::current_exe().expect("this program");
        let args = ["--ignored", "--exact", "runtime::fatal::tests::panics_in_a_thread_that_matters"];
        let ended = Command::new(tests).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        const SIGABRT: i32 = 6;
        assert_eq!(ended.expect("it runs").signal(), Some(SIGABRT));
    }
}
