//! What a package holds beside the program: man pages and shell completions, made from its command line.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap_complete::Shell;

/// The shells with completions.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Fish, Shell::Zsh];

/// Writes `man/*.1` and `completions/*` below a folder, which is made.
pub(crate) fn write(folder: &Path) -> anyhow::Result<()> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    for folder in [&man, &completions] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut command = cli::command_line();
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut command, "forgescale", &completions)
            .with_context(|| format!("cannot write completions for {shell}"))?;
    }
    // `help` needs no manual of its own; completions have built it into the other value.
    let command = cli::command_line().disable_help_subcommand(true);
    let command = command.mut_subcommands(|below| below.disable_help_subcommand(true));
    clap_mangen::generate_to(command, &man).context("cannot write the man pages")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::write;

    #[test]
    fn every_command_has_a_man_page_and_completions_and_none_is_of_a_hidden_one() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let page = fs::read_to_string(folder.path().join("man/forgescale-run.1")).unwrap();
        assert!(page.contains(".TH forgescale-run 1") && page.contains("drain"), "{page}");
        for name in ["completions/forgescale.bash", "completions/forgescale.fish", "completions/_forgescale"] {
            let text = fs::read_to_string(folder.path().join(name)).unwrap();
            assert!(text.contains("explain") && !text.contains("supervise"), "{name}");
        }
        for absent in ["supervise", "help", "config-help"] {
            assert!(!folder.path().join(format!("man/forgescale-{absent}.1")).exists(), "{absent}");
        }
    }
}
