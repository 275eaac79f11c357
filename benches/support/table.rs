//! What a benchmark prints: Markdown that goes into the document as it is.

use std::process::Command;

/// A table under a sentence that says what was done.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
    columns: usize,
}

impl Table {
    /// A table with these columns.
    pub fn new(columns: &[&str]) -> Self {
        let head = columns.iter().map(|&name| name.to_owned()).collect();
        let line = columns
            .iter()
            .enumerate()
            .map(|(index, _)| if index == 0 { "---" } else { "---:" }.to_owned())
            .collect();
        Self {
            rows: vec![head, line],
            columns: columns.len(),
        }
    }

    /// One more row; what is missing at its end stays empty.
    pub fn row(&mut self, cells: &[&str]) {
        let mut row: Vec<String> = cells.iter().map(|&cell| cell.to_owned()).collect();
        row.resize(self.columns, String::new());
        self.rows.push(row);
    }

    /// Prints it.
    pub fn print(&self) {
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
        println!();
    }
}

/// Says in the document what was compared with nothing.
pub fn skipped(peer: &str, package: &str) {
    println!("**Skipped: {peer} is not installed** (`apt-get install {package}`).\n");
    eprintln!("!!! skipped: {peer} is not installed; apt-get install {package}");
}

/// Tells on which machine this was.
pub fn machine() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        })
        .to_owned();
    let memory: u64 = read("/proc/meminfo")
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kibibytes| kibibytes.parse().ok())
        .unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("?");
    println!(
        "{cpu}, {cores} cores, {} GiB, Linux {}, {}; load {load} before it began.\n",
        memory / 1024 / 1024,
        read("/proc/sys/kernel/osrelease").trim(),
        first_line("rustc", "--version"),
    );
}

/// The first line that a program prints; empty where there is none.
pub fn first_line(program: &str, argument: &str) -> String {
    Command::new(program)
        .arg(argument)
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_default()
}
