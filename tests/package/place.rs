//! Where a package goes, and what is never overwritten.

use std::fs;

use crate::workshop::Workshop;

fn refused(shop: &Workshop, out: &str, says: &str) {
    let ran = shop.run(&["package", "--binary", "small", "--out", out]);
    assert_eq!(ran.code, 1, "{out}: {ran:?}");
    assert!(
        ran.err.starts_with("error: ") && ran.err.contains(says),
        "{out}: {ran:?}"
    );
}

#[test]
fn folders_above_are_made_and_the_archive_lies_beside() {
    let shop = Workshop::new();
    let ran = shop.run(&["package", "--binary", "small", "--out", "a/b/app.v1/"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.starts_with("a/b/app.v1 and a/b/app.v1.zip: "),
        "{ran:?}"
    );
    assert!(shop.root().join("a/b/app.v1/host.json").is_file());
    assert!(shop.root().join("a/b/app.v1.zip").is_file());
    let left: Vec<_> = fs::read_dir(shop.root().join("a/b")).unwrap().collect();
    assert_eq!(left.len(), 2, "nothing is left over: {left:?}");
}

#[test]
fn an_empty_folder_and_an_earlier_package_are_replaced() {
    let shop = Workshop::new();
    fs::create_dir(shop.root().join("dist")).unwrap();
    shop.package();
    // A function of an older version must not stay.
    shop.write("dist/Gone/function.json", "{}");
    shop.write("dist/understudy.toml", "# of before");
    shop.package();
    let files = shop.folder("dist");
    assert!(
        !files.contains_key("Gone/function.json") && !files.contains_key("understudy.toml"),
        "{:?}",
        files.keys()
    );
}

#[test]
fn what_is_no_package_is_left_alone() {
    let shop = Workshop::new();
    shop.write("photos/one.jpg", "a picture");
    refused(&shop, "photos", "photos is not replaced: it holds one.jpg");
    assert_eq!(shop.read("photos/one.jpg"), "a picture");

    shop.write("file", "a file");
    refused(&shop, "file", "it is no folder");

    shop.write("half/host.json", "{}");
    refused(&shop, "half", "it is no earlier package");

    shop.package();
    shop.write("dist/understudy-state", "the record of a local run");
    refused(&shop, "dist", "it holds understudy-state");
    assert_eq!(
        shop.read("dist/understudy-state"),
        "the record of a local run"
    );

    shop.write("other.zip", "an archive of mine");
    refused(&shop, "other", "other.zip is not replaced");
    assert_eq!(shop.read("other.zip"), "an archive of mine");
    assert!(!shop.root().join("other").exists());

    let target = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(target.path(), shop.root().join("link")).unwrap();
    refused(&shop, "link", "it is no folder");
}

#[test]
fn a_checkout_is_never_replaced() {
    let shop = Workshop::new();
    shop.write("app/host.json", understudy::bundle::HOST_JSON);
    shop.write(
        "app/functions/Active/function.json",
        understudy::bundle::FUNCTIONS[0].1,
    );
    shop.write("app/understudy", "a build");
    refused(&shop, "app", "it holds functions");
    for out in [".", "..", "/", "a/.."] {
        refused(&shop, out, "names no folder of its own");
    }
}

#[test]
fn a_binary_that_is_not_there_is_told_before_anything_is_written() {
    let shop = Workshop::new();
    shop.write("nothing", "");
    for (binary, says) in [
        ("missing", "there is no binary at missing"),
        ("nothing", "is empty"),
        (".", "cannot be read"),
    ] {
        let ran = shop.run(&["package", "--binary", binary]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.err.contains(says), "{ran:?}");
        assert!(!shop.root().join("dist").exists());
    }
}

#[test]
fn wrong_words_are_a_usage_error() {
    let shop = Workshop::new();
    assert_eq!(shop.run(&["package", "--into", "x"]).code, 2);
    assert_eq!(shop.run(&["package", "--json"]).code, 2);
    let help = shop.run(&["package", "--help"]);
    assert!(
        help.code == 0 && help.out.contains("--out") && help.out.contains("--binary"),
        "{help:?}"
    );
}
