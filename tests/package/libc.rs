//! Whether the binary starts in Azure's image.

use crate::elf::{build, dynamic, fixed};
use crate::workshop::Workshop;

const LOADER: Option<&str> = Some("/lib64/ld-linux-x86-64.so.2");

/// What is said of what this binary needs, so neither of the missing configuration nor of whose it is; it is
/// packaged all the same.
fn said(binary: &[u8]) -> String {
    let shop = Workshop::new();
    shop.write("small", binary);
    let ran = shop.package();
    assert_eq!(shop.folder("dist")["understudy"].1, binary);
    let lines = ran
        .err
        .lines()
        .filter(|line| !line.contains("understudy.toml") && !line.contains("is no understudy"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_binary_that_starts_there_is_not_warned_of() {
    for binary in [
        fixed(),
        dynamic(&["GLIBC_2.2.5"]),
        dynamic(&["GLIBC_2.9", "GLIBC_2.31", "GLIBC_2.4"]),
        // Versions of others say nothing of the C library.
        dynamic(&["GCC_3.0", "OPENSSL_3.2", "GLIBC_2.17"]),
        build(LOADER, &["GLIBC_2.17"], 62, 3),
    ] {
        assert_eq!(said(&binary), "");
    }
}

#[test]
fn a_newer_c_library_is_warned_of_with_the_newest_version() {
    for (versions, newest) in [
        (vec!["GLIBC_2.32"], "2.32"),
        (vec!["GLIBC_2.2.5", "GLIBC_2.38", "GLIBC_2.34"], "2.38"),
        (vec!["GLIBC_2.17", "GLIBC_ABI_DT_RELR"], "2.36"),
        (vec!["GLIBC_2.100", "GLIBC_2.9"], "2.100"),
    ] {
        let said = said(&dynamic(&versions));
        assert!(
            said.starts_with(&format!(
                "warning: the binary needs version {newest} of the GNU C library"
            )),
            "{said}"
        );
        assert!(
            said.contains("2.31")
                && said.contains("scripts/build-static.sh")
                && said.contains("--binary"),
            "{said}"
        );
    }
}

#[test]
fn what_does_not_run_there_is_warned_of() {
    for (binary, says) in [
        (
            build(LOADER, &["GLIBC_2.17"], 183, 0),
            "is for another machine",
        ),
        (
            build(LOADER, &["GLIBC_2.17"], 62, 9),
            "is for another machine",
        ),
        (
            build(Some("/lib/ld-musl-x86_64.so.1"), &[], 62, 0),
            "needs the loader /lib/ld-musl-x86_64.so.1",
        ),
        (build(LOADER, &[], 62, 0), "of which version cannot be told"),
        (b"#!/bin/sh\n".to_vec(), "is no 64-bit ELF file"),
        (b"MZ".to_vec(), "is no 64-bit ELF file"),
        (fixed()[..70].to_vec(), "is damaged"),
    ] {
        let said = said(&binary);
        assert!(said.contains(says), "{says}: {said}");
    }
}

/// However a file is cut or bent, it is looked at without harm.
#[test]
fn damaged_files_are_only_warned_of() {
    let whole = dynamic(&["GLIBC_2.2.5", "GLIBC_2.38"]);
    for length in [1, 16, 63, 64, 100, 120, 140, 200, whole.len() - 1] {
        assert!(said(&whole[..length]).starts_with("warning: "), "{length}");
    }
    // The place of the sections, then the place of the segments, far outside.
    for at in [40, 32] {
        let mut bent = whole.clone();
        bent[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(said(&bent).starts_with("warning: "), "{at}");
    }
}

/// The binary of this very build, whatever it was built against.
#[test]
fn itself_is_packaged_unless_another_is_named() {
    let shop = Workshop::new();
    let ran = shop.run(&["package", "--out", "app"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let own = std::fs::read(env!("CARGO_BIN_EXE_understudy")).unwrap();
    assert!(shop.folder("app")["understudy"].1 == own);
}
