//! Azurite's table service for tests: installed on first use from `tests/azurite`, one process per test
//! binary, gone when the binary is, however it ends.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A first start on a busy machine takes its time.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Another process may have taken the port that was free a moment ago.
const START_TRIES: u32 = 5;
/// Ends the emulator when our end of its input closes, even if we were killed; its own number is the first line of
/// the output.
const GUARD: &str =
    r#"node "$@" </dev/null >/dev/null & echo $!; exec >&-; cat >/dev/null; kill -9 $!; wait $!"#;
/// Where it keeps its tables, unless they are in memory.
const DATABASE: &str = "__azurite_db_table__.json";

/// A running emulator.
pub struct Azurite {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Azurite {
    /// The emulator of this test binary.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Azurite> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts one on a free port and waits until it answers.
    pub fn start() -> Self {
        let program = install();
        let memory = ["--inMemoryPersistence".to_owned()];
        Self::try_often(&program, &memory, false)
    }

    /// Starts one that keeps its tables in a file, so that it can be ended and started again.
    pub fn start_with_file() -> Self {
        Self::try_often(&install(), &[], false)
    }

    /// Starts one that takes tokens, which it does only over TLS: with this certificate and key.
    pub fn start_with_tokens(certificate: &Path, key: &Path) -> Self {
        let program = install();
        let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
        let more = [
            "--inMemoryPersistence".to_owned(),
            "--oauth".to_owned(),
            "basic".to_owned(),
            "--cert".to_owned(),
            text(certificate),
            "--key".to_owned(),
            text(key),
        ];
        Self::try_often(&program, &more, true)
    }

    fn try_often(program: &Path, more: &[String], with_tls: bool) -> Self {
        for _ in 0..START_TRIES {
            let port = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .expect("a free port")
                .port();
            let folder = tempfile::tempdir().expect("a temporary folder");
            let process = spawn(program, port, folder.path(), more);
            let mut started = Self {
                process,
                port,
                folder,
            };
            if started.answers_in_time(with_tls) {
                return started;
            }
        }
        panic!("Azurite did not start on any of {START_TRIES} free ports");
    }

    /// Ends it with SIGKILL: what it had not written into its file yet is lost.
    pub fn kill(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().expect("it is ours");
    }

    /// Ends it as its owner does, with SIGINT: it writes its file first.
    pub fn stop(&mut self) {
        let output = self.process.stdout.as_mut().expect("its first line");
        let mut number = String::new();
        output.read_to_string(&mut number).expect("a line");
        let told = Command::new("kill").args(["-INT", number.trim()]).status();
        assert!(told.expect("kill runs").success());
        let began = Instant::now();
        // Its shell has not reaped it, so its number stays.
        let command = Path::new("/proc").join(number.trim()).join("cmdline");
        while std::fs::read(&command).is_ok_and(|words| !words.is_empty()) {
            assert!(began.elapsed() < START_LIMIT, "Azurite does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }

    /// Starts it again: the same port, the same file.
    pub fn restart(&mut self) {
        self.process = spawn(&install(), self.port, self.folder.path(), &[]);
        assert!(self.answers_in_time(false), "Azurite did not start again");
    }

    /// Its file as it is now; empty where there is none.
    pub fn file(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(DATABASE)).unwrap_or_default()
    }

    /// Puts this in the place of its file, while it does not run.
    pub fn put_file(&self, text: &str) {
        std::fs::write(self.folder.path().join(DATABASE), text).expect("the folder is ours");
    }

    /// Takes its file away, while it does not run.
    pub fn remove_file(&self) {
        std::fs::remove_file(self.folder.path().join(DATABASE)).expect("the folder is ours");
    }

    fn answers_in_time(&mut self, with_tls: bool) -> bool {
        let began = Instant::now();
        while began.elapsed() < START_LIMIT {
            if self.answers(with_tls) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// Over TLS a plain request is answered with an alert or a closed connection, which will do as well.
    fn answers(&self, with_tls: bool) -> bool {
        let Ok(mut connection) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let _ = connection.set_read_timeout(Some(Duration::from_secs(5)));
        let mut answer = [0; 4];
        connection
            .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .and_then(|()| connection.read_exact(&mut answer))
            .map_or(with_tls, |()| with_tls || &answer == b"HTTP")
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A connection string with the development key.
    pub fn connection_string(&self) -> String {
        connection_string(self.port)
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn spawn(program: &Path, port: u16, folder: &Path, more: &[String]) -> Child {
    Command::new("sh")
        .args(["-c", GUARD, "sh"])
        .arg(program)
        .args(["--disableTelemetry", "--silent"])
        .args(["--tablePort", &port.to_string()])
        .args(more)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh runs")
}

/// The development account's connection string at any port, for example a proxy's.
pub fn connection_string(port: u16) -> String {
    format!(
        "DefaultEndpointsProtocol=http;AccountName={};AccountKey={};TableEndpoint=http://127.0.0.1:{port}/{}",
        azure_storage::EMULATOR_ACCOUNT,
        azure_storage::EMULATOR_ACCOUNT_KEY,
        azure_storage::EMULATOR_ACCOUNT
    )
}

/// A table name that no other test uses.
pub fn fresh_table() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("t{}x{}", COUNT.fetch_add(1, Ordering::Relaxed), &id[..16])
}

/// The emulator's program, installed if it is not. Several test binaries may come here at once.
fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/azurite");
    let program = folder.join("node_modules/azurite/dist/src/table/main.js");
    // npm writes this file last.
    let finished = folder.join("node_modules/.package-lock.json");
    let lock: File = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(Path::new(env!("CARGO_TARGET_TMPDIR")).join("azurite.lock"))
        .expect("a lock file");
    lock.lock().expect("the lock");
    if finished.exists() && program.exists() {
        return program;
    }
    let installed = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .stdout(Stdio::null())
        .output();
    match installed {
        Ok(output) if output.status.success() => program,
        Ok(output) => panic!(
            "`npm ci` in tests/azurite failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => {
            // One line, and not a panic with a trace in each of the tests that wait for this.
            eprintln!(
                "missing: Node.js 20 with npm on the PATH, for the emulator that these tests run against ({error})"
            );
            std::process::exit(1)
        }
    }
}
