//! Whether the binary that is named is an understudy, and which.

use crate::elf::{dynamic, fixed, marked};
use crate::program::{Ran, run, understudy};
use crate::workshop::Workshop;

const OWN: &str = env!("CARGO_PKG_VERSION");

/// What is said of whose binary this is; it is packaged all the same.
fn said(binary: &[u8]) -> Vec<String> {
    let shop = Workshop::new();
    shop.write("small", binary);
    lines(&shop.package())
}

fn lines(ran: &Ran) -> Vec<String> {
    ran.err
        .lines()
        .filter(|line| line.contains("binary is"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_same_version_is_not_warned_of_also_for_another_machine() {
    for binary in [
        fixed(),
        dynamic(&["GLIBC_2.17"]),
        b"a program of another system".to_vec(),
    ] {
        let said = said(&marked(&binary, OWN));
        assert!(
            !said.iter().any(|line| line.contains("understudy")),
            "{said:?}"
        );
    }
}

#[test]
fn another_version_is_warned_of_with_both() {
    for other in ["0.0.9", "12.34.56", "1.0.0-rc.1+build.7"] {
        let said = said(&marked(&fixed(), other));
        assert!(
            said.len() == 1
                && said[0].contains(&format!("is understudy {other}"))
                && said[0].contains(&format!("this is {OWN}")),
            "{said:?}"
        );
    }
}

#[test]
fn what_is_no_understudy_is_warned_of() {
    let half = marked(&fixed(), "");
    for binary in [fixed(), half, b"#!/bin/sh\nexit\n".to_vec()] {
        let said = said(&binary);
        let told = said
            .iter()
            .filter(|line| line.contains("is no understudy") && line.contains("--binary"));
        assert_eq!(told.count(), 1, "{said:?}");
    }
}

/// The mark is in the build itself, not only where it is looked for.
#[test]
fn a_real_build_is_known_by_its_bytes() {
    let shop = Workshop::new();
    let own = env!("CARGO_BIN_EXE_understudy");
    let ran = shop.run(&["package", "--binary", own]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(lines(&ran), Vec::<String>::new(), "{ran:?}");
    let version = run(understudy().arg("--version"));
    assert_eq!(version.out.trim(), format!("understudy {OWN}"));
}
