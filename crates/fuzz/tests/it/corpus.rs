//! Every input of the corpus keeps its target's property.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use fuzz::TARGETS;

/// A corpus that shrank to nothing would prove nothing.
const FEWEST_INPUTS: usize = 8;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[test]
fn every_input_keeps_the_property_of_its_target() {
    let mut broken = Vec::new();
    for (name, target) in TARGETS {
        let mut inputs: Vec<_> =
            fs::read_dir(corpus().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        inputs.sort();
        assert!(inputs.len() >= FEWEST_INPUTS, "{name} has {} inputs", inputs.len());
        for input in inputs {
            let bytes = fs::read(&input).unwrap();
            if catch_unwind(|| target(&bytes)).is_err() {
                broken.push(input);
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_folder_has_its_target_and_every_target_its_engine() {
    let mut folders: Vec<String> =
        fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    folders.sort();
    assert_eq!(folders, TARGETS.map(|(name, _)| name));
    let engine = fs::read_to_string(corpus().with_file_name("engine").join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(engine.contains(&format!("name = \"{name}\"")), "the engine does not know {name}");
        assert!(corpus().with_file_name("engine").join(format!("targets/{name}.rs")).is_file());
    }
}
