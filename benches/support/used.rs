//! What a process has used, as Linux accounts it in `/proc`. Tests that hold memory to a bound read it here as well.

use std::error::Error;

/// What the kernel counts CPU time in for `/proc`, on every architecture that Linux has today (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// CPU seconds, of all its threads.
    pub cpu: f64,
    /// Memory now, in MiB.
    pub resident: f64,
    /// The most memory that it ever had, in MiB.
    pub peak: f64,
}

type Read<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What the process with this id has used so far.
///
/// # Errors
/// When the kernel does not say.
pub fn used_by(id: u32) -> Read<Used> {
    let folder = format!("/proc/{id}");
    let stat = std::fs::read_to_string(format!("{folder}/stat"))?;
    // The name in parentheses may hold anything; user and system time are the 12th and 13th after it.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| -> Read<f64> {
        Ok(fields
            .get(index)
            .ok_or("/proc/PID/stat is short")?
            .parse()?)
    };
    let status = std::fs::read_to_string(format!("{folder}/status"))?;
    Ok(Used {
        cpu: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
        resident: mebibytes(&status, "VmRSS:")?,
        peak: mebibytes(&status, "VmHWM:")?,
    })
}

fn mebibytes(status: &str, name: &str) -> Read<f64> {
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .ok_or("/proc/PID/status lacks a line")?
        .parse()?;
    Ok(kibibytes / 1024.0)
}
