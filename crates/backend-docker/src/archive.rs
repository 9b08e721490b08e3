//! One file as a tar archive: what the engine takes to put something into a container.

/// The size of everything in an archive is a multiple of this.
pub(crate) const BLOCK: usize = 512;

/// The two empty blocks at the end.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The header of a file for everybody to read and execute, in the ustar format.
///
/// The name is one of ours, shorter than 100 bytes; the size is below 8 GiB, as eleven octal digits say.
pub(crate) fn header(name: &str, size: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut write = |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    write(0, name);
    write(100, "0000755\0");
    write(108, "0000000\0");
    write(116, "0000000\0");
    write(124, &format!("{size:011o}\0"));
    write(136, "00000000000\0");
    // The checksum counts itself as spaces.
    write(148, "        ");
    write(156, "0");
    write(257, "ustar\x0000");
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// How many zeros follow a file of this size.
pub(crate) fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
    (BLOCK - over) % BLOCK
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_reads_it() {
        let content = b"hello\n";
        let size = content.len() as u64;
        let mut archive = header("forgejo-runner", size).to_vec();
        archive.extend(content);
        archive.resize(archive.len() + padding(size), 0);
        archive.extend(END);
        let mut tar = Command::new("tar").arg("-tvf-").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        tar.stdin.take().unwrap().write_all(&archive).unwrap();
        let listed = tar.wait_with_output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.starts_with("-rwxr-xr-x 0/0"), "{listed}");
        assert!(listed.trim_end().ends_with("forgejo-runner"), "{listed}");
    }

    #[test]
    fn files_are_filled_up_to_a_block() {
        assert_eq!([0, 1, 511, 512, 513].map(padding), [0, 511, 1, 0, 511]);
    }
}
