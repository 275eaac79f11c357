//! What a process has used, as Linux accounts it.

use std::time::Duration;

/// Clock ticks of `/proc` per second: always 100 on Linux for programs outside the kernel.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time and memory of a process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time so far.
    pub cpu: Duration,
    /// The most memory that was resident at once, in MB of 2^20 bytes.
    pub peak_memory_mb: f64,
    /// The memory that is resident now.
    pub memory_mb: f64,
}

impl Usage {
    /// Of the process with this id.
    pub fn of(id: u32) -> Self {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs");
        // The name may hold spaces; what follows its closing bracket does not.
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let field = |index: usize| -> u64 {
            fields
                .split_whitespace()
                .nth(index)
                .and_then(|text| text.parse().ok())
                .expect("a number")
        };
        let ticks = field(11) + field(12);
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let memory = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.split_whitespace().next())
                .and_then(|text| text.parse::<f64>().ok())
                .expect("kilobytes")
                / 1024.0
        };
        Self {
            cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
            peak_memory_mb: memory("VmHWM:"),
            memory_mb: memory("VmRSS:"),
        }
    }
}
