//! A folder to package in, and what came out.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::elf;
use crate::program::{Ran, run, understudy};

/// A group that is well configured, on a schedule of its own.
pub const GOOD: &str = r#"[controller]
schedule = "0 */5 * * * *"
[store]
endpoint = "https://acct.table.core.windows.net"
[policy]
probe_interval = "5m"
[[groups]]
name = "contoso"
  [[groups.sites]]
  region = "westeurope"
    [[groups.sites.http]]
    name = "captions"
    url = "https://west.example/health"
  [[groups.sites]]
  region = "northeurope"
    [[groups.sites.http]]
    name = "captions"
    url = "https://north.example/health"
"#;

/// A folder to package in. A small binary of no need, of this version, lies there as `small`.
pub struct Workshop {
    folder: TempDir,
}

impl Workshop {
    pub fn new() -> Self {
        let shop = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let version = env!("CARGO_PKG_VERSION");
        shop.write("small", elf::marked(&elf::fixed(), version));
        shop
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let file = self.root().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Runs the binary here with these arguments, and nothing of our app settings.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    pub fn run_with(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Ran {
        run(understudy()
            .args(arguments)
            .current_dir(self.root())
            .envs(settings.iter().copied()))
    }

    /// Packages the small binary into `dist`, which must work.
    pub fn package(&self) -> Ran {
        let ran = self.run(&["package", "--binary", "small"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran
    }

    /// Every file of a folder below this one by its path, with its mode.
    pub fn folder(&self, path: &str) -> BTreeMap<String, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        walk(&self.root().join(path), "", &mut found);
        found
    }

    /// Every entry of an archive by its name, with its mode.
    pub fn archive(&self, path: &str) -> BTreeMap<String, (u32, Vec<u8>)> {
        let file = File::open(self.root().join(path)).unwrap();
        let mut archive = zip::ZipArchive::new(file).unwrap();
        let mut found = BTreeMap::new();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let mode = entry.unix_mode().unwrap() & 0o777;
            found.insert(entry.name().unwrap().into_owned(), (mode, bytes));
        }
        found
    }
}

fn walk(folder: &Path, inside: &str, found: &mut BTreeMap<String, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{inside}{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &format!("{name}/"), found);
        } else {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            found.insert(name, (mode, fs::read(entry.path()).unwrap()));
        }
    }
}
