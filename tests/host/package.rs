//! Packaged folders for the host: made by the binary itself, once, and copied for each test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;
use understudy::sim::config::{Options, toml};
use understudy::sim::{Simulator, World};

use crate::host::Mode;
use crate::host::{Host, HostOptions, Split};
use crate::program::{run, understudy};

/// What `package` writes into an empty folder.
fn packaged() -> &'static Path {
    static PACKAGED: OnceLock<TempDir> = OnceLock::new();
    let folder = PACKAGED.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ran = run(understudy()
            .args(["package", "--out", "app"])
            .current_dir(folder.path()));
        assert_eq!(ran.code, 0, "{ran:?}");
        folder
    });
    folder.path()
}

/// A copy of a packaged app that a test may change.
pub struct Package {
    folder: TempDir,
}

impl Package {
    /// A fresh copy. The binary is the same file.
    pub fn fresh() -> Self {
        let folder = tempfile::tempdir_in(packaged()).expect("a temporary folder");
        copy(&packaged().join("app"), &folder.path().join("app"));
        Self { folder }
    }

    /// The script root.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("app")
    }

    /// Writes a file of it.
    pub fn write(&self, path: &str, text: &str) {
        let file = self.root().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        // The copy shares its files with the others.
        let _ = fs::remove_file(&file);
        fs::write(file, text).unwrap();
    }

    /// Reads a file of it.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Replaces a piece of a file that must be there.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from}: {text}");
        self.write(path, &text.replace(from, to));
    }

    /// Puts a program in the place of the binary.
    pub fn program(&self, text: &str, mode: u32) {
        self.write("understudy", text);
        fs::set_permissions(
            self.root().join("understudy"),
            fs::Permissions::from_mode(mode),
        )
        .unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::hard_link(entry.path(), target).unwrap();
        }
    }
}

/// A packaged app of the group `contoso` in two simulated regions, in its host.
pub struct Stage {
    pub sim: Simulator,
    pub package: Package,
    pub host: Host,
}

impl Stage {
    /// On Flex Consumption, in this mode.
    pub async fn flex(mode: Mode) -> Self {
        Self::set(HostOptions {
            mode: Some(mode),
            split: Split::Flex,
            ..HostOptions::default()
        })
        .await
    }

    /// With these options.
    pub async fn set(options: HostOptions) -> Self {
        let package = Package::fresh();
        let (sim, options) = configured(&package, options).await;
        let host = Host::start(&package.root(), options)
            .await
            .expect("a good package");
        assert!(host.errors().is_empty(), "{:?}", host.errors());
        Self { sim, package, host }
    }
}

/// Gives a package its configuration, and the options the settings that lead to the simulator.
pub async fn configured(package: &Package, mut options: HostOptions) -> (Simulator, HostOptions) {
    let sim = Simulator::start(World::two_regions(), 0)
        .await
        .expect("a free port");
    let wanted = Options::embedded("state")
        .policy("probe_interval", "1s")
        .policy("probe_timeout", "5s")
        .policy("latency_limit", "5s");
    package.write(
        "understudy.toml",
        &toml(sim.world(), sim.base_url(), &wanted),
    );
    options.settings.extend(sim.environment());
    (sim, options)
}
