//! ELF files of a few hundred bytes, with as much in them as says what they need.

/// Where things are in the file.
const PROGRAM_HEADERS: u64 = 64;
const DATA: u64 = 64 + 56;

/// A static x86-64 program.
pub fn fixed() -> Vec<u8> {
    build(None, &[], 62, 0)
}

/// With the mark of this version of Understudy somewhere in it.
pub fn marked(binary: &[u8], version: &str) -> Vec<u8> {
    let mark = format!("\0<understudy-binary {version}>\0");
    [binary, mark.as_bytes()].concat()
}

/// A dynamic x86-64 program that wants these symbol versions of `libc.so.6`.
pub fn dynamic(versions: &[&str]) -> Vec<u8> {
    build(Some("/lib64/ld-linux-x86-64.so.2"), versions, 62, 0)
}

/// A dynamic program with this loader, for this machine and this system, that wants these versions.
pub fn build(loader: Option<&str>, versions: &[&str], machine: u16, system: u8) -> Vec<u8> {
    let mut loader_bytes = loader.unwrap_or_default().as_bytes().to_vec();
    loader_bytes.push(0);
    let (names, needs) = needs(versions);
    let names_at = DATA + loader_bytes.len() as u64;
    let needs_at = names_at + names.len() as u64;
    let sections_at = needs_at + needs.len() as u64;

    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, system];
    file.extend([0; 8]);
    file.extend(3u16.to_le_bytes());
    file.extend(machine.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    for word in [0, PROGRAM_HEADERS, sections_at] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    for half in [64u16, 56, 1, 64, 4, 1] {
        file.extend(half.to_le_bytes());
    }
    // One segment: the loader's path, or else plain data.
    let kind: u32 = if loader.is_some() { 3 } else { 1 };
    file.extend(kind.to_le_bytes());
    file.extend(4u32.to_le_bytes());
    let length = loader_bytes.len() as u64;
    for word in [DATA, DATA, DATA, length, length, 1] {
        file.extend(word.to_le_bytes());
    }
    file.extend(&loader_bytes);
    file.extend(&names);
    file.extend(&needs);
    // Nothing; the sections' own names; the versions' names; the versions.
    file.extend([0; 64]);
    file.extend(section(3, names_at, 1, 0, 0));
    file.extend(section(3, names_at, names.len() as u64, 0, 0));
    let kind = if versions.is_empty() { 0 } else { 0x6fff_fffe };
    file.extend(section(kind, needs_at, needs.len() as u64, 2, 1));
    file
}

/// The table of names, and one library that is wanted in these versions.
fn needs(versions: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let mut names = b"\0libc.so.6\0".to_vec();
    let mut needs = Vec::new();
    needs.extend(1u16.to_le_bytes());
    needs.extend(u16::try_from(versions.len()).unwrap().to_le_bytes());
    for word in [1u32, 16, 0] {
        needs.extend(word.to_le_bytes());
    }
    for (index, version) in versions.iter().enumerate() {
        let at = u32::try_from(names.len()).unwrap();
        names.extend(version.as_bytes());
        names.push(0);
        needs.extend(0u32.to_le_bytes());
        needs.extend(0u16.to_le_bytes());
        needs.extend(u16::try_from(index + 2).unwrap().to_le_bytes());
        let next = if index + 1 == versions.len() {
            0u32
        } else {
            16
        };
        needs.extend(at.to_le_bytes());
        needs.extend(next.to_le_bytes());
    }
    (names, needs)
}

fn section(kind: u32, at: u64, length: u64, names: u32, info: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(0u32.to_le_bytes());
    bytes.extend(kind.to_le_bytes());
    for word in [0, 0, at, length] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(names.to_le_bytes());
    bytes.extend(info.to_le_bytes());
    for word in [1u64, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes
}
