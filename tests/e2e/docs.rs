//! Every configuration that the manual calls complete is one that the program takes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::Project;

/// The first line of a block that stands for itself.
const MARK: &str = "# complete";

/// The pages of a folder and those below it.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The TOML blocks of a page, each with the number of its first line.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match &mut open {
            None if line == "```toml" => open = Some((number + 1, String::new())),
            None => {}
            Some(_) if line == "```" => blocks.extend(open.take()),
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    blocks
}

#[test]
fn complete_configurations_are_complete_and_without_errors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = vec![root.join("README.md")];
    pages(&root.join("docs"), &mut found);
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in found {
        for (line, block) in blocks(&fs::read_to_string(&page).unwrap()) {
            if block.lines().next() != Some(MARK) {
                continue;
            }
            seen += 1;
            let project = Project::empty();
            project.write("mailzone.toml", block);
            let output = project.run(["lint"]);
            if output.code != 0 {
                let (code, said) = (output.code, output.stdout + &output.stderr);
                wrong.push(format!("{}:{line}: exit code {code}\n{said}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 0, "no block begins with {MARK}");
}

#[test]
fn the_readme_shows_the_worked_example_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let example = fs::read_to_string(root.join("examples/try/mailzone.toml")).unwrap();
    let readme = blocks(&fs::read_to_string(root.join("README.md")).unwrap());
    let first = example.lines().next().unwrap();
    let shown = readme.iter().find(|(_, block)| block.starts_with(first));
    assert_eq!(shown.map(|(_, block)| block.as_str()), Some(example.as_str()));
}

#[test]
fn the_readme_shows_the_plan_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```text\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let project = Project::empty();
    for name in ["mailzone.toml", "parked.txt", "keys/s2026.txt", "zones/example.test.zone"] {
        project.write(name, fs::read(root.join("examples/try").join(name)).unwrap());
    }
    let plan = project.run_to(0, ["plan", "example.test"]).stdout;
    assert!(plan.starts_with(shown), "{plan}");
}
