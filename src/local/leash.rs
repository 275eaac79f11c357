//! Ties the handler's life to the local host's: when the host is gone, however it ended, the handler ends too.

use std::io::Read;

/// Set by the local host, never by Azure's: the handler ends when its standard input does.
pub const VARIABLE: &str = "UNDERSTUDY_LEASH";

/// The exit code of a handler whose host is gone.
const HOST_GONE: i32 = 143;

/// Called by the handler at its start. Does nothing unless the local host started this process.
pub fn hold() {
    if std::env::var_os(VARIABLE).is_none_or(|value| value != "stdin") {
        return;
    }
    std::thread::spawn(|| {
        // The host writes nothing: whatever ends this read means that its end of the pipe is closed.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(HOST_GONE);
    });
}
