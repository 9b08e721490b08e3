//! Whether a program runs by itself in any container: what the head of its file says.
//!
//! Deliberately absent: everything else about the file. Its first page tells which processor it is for, and whether it needs a
//! loader, which an image may lack.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// How much of a program is read: its header, and the table that says what is loaded, which follows it.
const HEAD: u64 = 64 << 10;

/// In that table: the program needs a loader.
const INTERPRETER: u32 = 3;

/// What kind of program a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// For this processor, as `uname -m` says it, and with all that it needs.
    Static(&'static str),
    /// For this processor, and a loader with libraries must be there.
    Dynamic(&'static str),
    /// For a processor that we have no word for.
    Other,
    /// A script or whatever else: something else must run it.
    NoProgram,
}

/// Reads a file's head. Blocks; fails as reading does.
pub fn kind(path: &Path) -> io::Result<Kind> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(kind_of(&head).unwrap_or(Kind::NoProgram))
}

/// What a head says (System V ABI, "Object files"); nothing if it is none of a program.
fn kind_of(head: &[u8]) -> Option<Kind> {
    if !head.starts_with(b"\x7fELF") {
        return None;
    }
    let (is_wide, is_big) = (*head.get(4)? == 2, *head.get(5)? == 2);
    let number = |at: usize, bytes: usize| -> Option<u64> {
        let digits = head.get(at..at.checked_add(bytes)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if is_big { digits.iter().fold(0, add) } else { digits.iter().rev().fold(0, add) })
    };
    let processor = match (number(18, 2)?, is_wide, is_big) {
        (3, false, false) => "i686",
        (62, true, false) => "x86_64",
        (40, false, false) => "armv7l",
        (183, true, false) => "aarch64",
        (243, true, false) => "riscv64",
        (22, true, true) => "s390x",
        (21, true, false) => "ppc64le",
        _ => return Some(Kind::Other),
    };
    let (table, size, count) = if is_wide {
        (number(32, 8)?, number(54, 2)?, number(56, 2)?)
    } else {
        (number(28, 4)?, number(42, 2)?, number(44, 2)?)
    };
    for entry in 0..count {
        let at = usize::try_from(table.checked_add(entry * size)?).ok()?;
        if number(at, 4)? == u64::from(INTERPRETER) {
            return Some(Kind::Dynamic(processor));
        }
    }
    Some(Kind::Static(processor))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head of a program for a processor, in little endian, whose table has entries of these types.
    fn head(is_wide: bool, machine: u16, types: &[u32]) -> Vec<u8> {
        let (header, size) = if is_wide { (64_usize, 56_u16) } else { (52, 32) };
        let mut head = vec![0; header];
        head[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 1 + u8::from(is_wide), 1]);
        head[18..20].copy_from_slice(&machine.to_le_bytes());
        let (table, sizes) = if is_wide { (32, 54) } else { (28, 42) };
        head[table] = u8::try_from(header).unwrap();
        head[sizes..sizes + 2].copy_from_slice(&size.to_le_bytes());
        head[sizes + 2..sizes + 4].copy_from_slice(&u16::try_from(types.len()).unwrap().to_le_bytes());
        for kind in types {
            let begin = head.len();
            head.resize(begin + usize::from(size), 0);
            head[begin..begin + 4].copy_from_slice(&kind.to_le_bytes());
        }
        head
    }

    #[test]
    fn a_programs_head_tells_its_processor_and_whether_it_needs_a_loader() {
        assert_eq!(kind_of(&head(true, 62, &[1, 1])), Some(Kind::Static("x86_64")));
        assert_eq!(kind_of(&head(true, 62, &[1, 3, 1])), Some(Kind::Dynamic("x86_64")));
        assert_eq!(kind_of(&head(true, 183, &[1])), Some(Kind::Static("aarch64")));
        assert_eq!(kind_of(&head(false, 40, &[1, 3])), Some(Kind::Dynamic("armv7l")));
        assert_eq!(kind_of(&head(true, 9, &[1])), Some(Kind::Other));
        assert_eq!(kind_of(b"#!/bin/sh\n"), None);
        for length in 0..64 {
            assert_eq!(kind_of(&head(true, 62, &[1])[..length]), None, "cut after {length}");
        }
        let endless = [head(true, 62, &[])[..54].to_vec(), vec![0xff; 10]].concat();
        assert_eq!(kind_of(&endless), None);
    }

    #[test]
    fn a_file_is_read() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("program");
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        assert_eq!(kind(&file).unwrap(), Kind::NoProgram);
        assert!(kind(&place.path().join("none")).is_err());
        let own = kind(&std::env::current_exe().unwrap()).unwrap();
        assert!(
            matches!(own, Kind::Static(processor) | Kind::Dynamic(processor) if processor == std::env::consts::ARCH)
        );
    }
}
