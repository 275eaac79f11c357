//! Whether a binary starts in Azure's image: which machine it is for, and how new a C library it wants.

use object::elf;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadRef};

/// What the oldest image of Functions 4 still in use has: Debian 11's.
const OLDEST: Version = Version {
    major: 2,
    minor: 31,
};

/// The version that has what a symbol version without a number of its own stands for.
const NAMED: &[(&str, Version)] = &[(
    "GLIBC_ABI_DT_RELR",
    Version {
        major: 2,
        minor: 36,
    },
)];

/// The folder of loaders that belong to musl.
const MUSL_LOADER: &str = "/ld-musl-";

/// How to build one that needs none.
pub(super) const ADVICE: &str =
    "Build one that needs no C library with scripts/build-static.sh, and give it as --binary.";

/// A version of the GNU C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
}

/// What a binary wants of the machine.
#[derive(Debug, PartialEq, Eq)]
enum Needs {
    /// Nothing but the kernel.
    Nothing,
    /// The GNU C library, of this version or newer.
    Glibc(Version),
    /// A C library, of a version that cannot be told.
    Unclear,
    /// Another C library, by its loader.
    Loader(String),
}

/// How programs begin: on Linux, on Windows, on a Mac of one kind or of several, and scripts.
const BEGINNINGS: &[&[u8]] = &[
    b"\x7fELF",
    b"MZ",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"#!",
];

/// Whether it is a program on any machine, or what is left of one.
pub(super) fn is_program(binary: &[u8]) -> bool {
    BEGINNINGS
        .iter()
        .any(|begin| binary.starts_with(begin) || begin.starts_with(binary))
}

/// Why this binary would not start in Azure's image, in a sentence with what to do; `None` where it would.
pub(super) fn warning(binary: &[u8]) -> Option<String> {
    let why = match needs(binary) {
        Err(what) => format!("the binary {what}: Azure runs it on x86-64 Linux"),
        Ok(Needs::Nothing) => return None,
        Ok(Needs::Glibc(version)) if version <= OLDEST => return None,
        Ok(Needs::Glibc(Version { major, minor })) => format!(
            "the binary needs version {major}.{minor} of the GNU C library, Azure's oldest image has {}.{}: \
             it would not start there",
            OLDEST.major, OLDEST.minor
        ),
        Ok(Needs::Unclear) => {
            "the binary needs a C library, and of which version cannot be told".to_owned()
        }
        Ok(Needs::Loader(loader)) => format!(
            "the binary needs the loader {loader}, which Azure's image does not have: it would not start there"
        ),
    };
    Some(format!("{why}. {ADVICE}"))
}

/// # Errors
/// What the binary is instead of one for x86-64 Linux.
fn needs(binary: &[u8]) -> Result<Needs, String> {
    let Ok(header) = elf::FileHeader64::<Endianness>::parse(binary) else {
        return Err("is no 64-bit ELF file".to_owned());
    };
    let Ok(endian) = header.endian() else {
        return Err("is no 64-bit ELF file".to_owned());
    };
    let is_for_linux = [elf::ELFOSABI_SYSV, elf::ELFOSABI_GNU].contains(&header.e_ident.os_abi);
    if header.e_machine(endian) != elf::EM_X86_64 || !header.is_little_endian() || !is_for_linux {
        return Err("is for another machine".to_owned());
    }
    let segments = header
        .program_headers(endian, binary)
        .map_err(|_| "is damaged".to_owned())?;
    let loader = segments
        .iter()
        .find_map(|segment| segment.interpreter(endian, binary).transpose());
    match loader {
        None => Ok(Needs::Nothing),
        Some(Err(_)) => Err("is damaged".to_owned()),
        Some(Ok(loader)) => {
            let loader = String::from_utf8_lossy(loader).into_owned();
            if loader.contains(MUSL_LOADER) {
                return Ok(Needs::Loader(loader));
            }
            Ok(newest(header, endian, binary)
                .ok()
                .flatten()
                .map_or(Needs::Unclear, Needs::Glibc))
        }
    }
}

/// The newest version of the GNU C library among the versions that the binary's symbols want.
fn newest<'data, R: ReadRef<'data>>(
    header: &elf::FileHeader64<Endianness>,
    endian: Endianness,
    binary: R,
) -> object::Result<Option<Version>> {
    let sections = header.sections(endian, binary)?;
    let Some((mut libraries, names)) = sections.gnu_verneed(endian, binary)? else {
        return Ok(None);
    };
    let names = sections.strings(endian, binary, names)?;
    let mut newest = None;
    while let Some((_, mut versions)) = libraries.next()? {
        while let Some(version) = versions.next()? {
            newest = newest.max(glibc(version.name(endian, names)?));
        }
    }
    Ok(newest)
}

/// `GLIBC_2.34`, and those that are named otherwise; `None` where it is another library's.
fn glibc(name: &[u8]) -> Option<Version> {
    let name = std::str::from_utf8(name).ok()?;
    if let Some((_, version)) = NAMED.iter().find(|(known, _)| *known == name) {
        return Some(*version);
    }
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.');
    Some(Version {
        major: numbers.next()?.parse().ok()?,
        minor: numbers.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_and_not_texts() {
        let of = |name: &str| glibc(name.as_bytes());
        assert!(of("GLIBC_2.9") < of("GLIBC_2.31"));
        assert!(of("GLIBC_2.2.5") < of("GLIBC_2.31"));
        assert!(of("GLIBC_2.34") > Some(OLDEST));
        assert!(of("GLIBC_ABI_DT_RELR") > of("GLIBC_2.35"));
        for other in [
            "GLIBC_PRIVATE",
            "GCC_3.0",
            "LIBC_2.40",
            "GLIBC_",
            "GLIBC_x.1",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
