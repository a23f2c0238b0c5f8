//! The guides agree with the tree, as far as that can be seen without doing what they say.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::*;

/// What stands in an example's folder and is not shown in its guide.
const UNSHOWN: &[&str] = &["README.md", "Cargo.lock", "wit/greet.wit"];

fn examples() -> PathBuf {
    workspace::root().join("examples")
}

fn documents() -> Vec<Document> {
    let names = GUIDES.iter().map(|guide| guide.name).chain([FIRST]);
    names.map(|name| Document::read(name).unwrap()).collect()
}

/// The files that git has or would have in a folder, relative to it.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut git = Command::new("git");
    git.current_dir(folder);
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    process::output(&mut git).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn guides_and_examples_go_together() {
    let guides: BTreeSet<_> = GUIDES.iter().map(|guide| guide.name.to_owned()).collect();
    let texts = files(&workspace::root().join(document::FOLDER));
    let texts = texts.iter().map(|file| file.trim_end_matches(".md").to_owned());
    assert_eq!(texts.filter(|name| name != FIRST).collect::<BTreeSet<_>>(), guides);
    let folders = files(&examples());
    let folders = folders.iter().filter_map(|file| Some(file.split_once('/')?.0.to_owned()));
    assert_eq!(folders.collect::<BTreeSet<_>>(), guides);
    for name in guides {
        let readme = fs::read_to_string(examples().join(&name).join("README.md")).unwrap();
        assert!(readme.contains(&format!("(../../docs/guides/{name}.md)")), "{name}");
    }
}

#[test]
fn guides_show_the_files_of_their_examples() {
    for Document { name, files: shown, .. } in documents() {
        let folder = examples().join(&name);
        for (file, text) in &shown {
            let kept = fs::read_to_string(folder.join(file)).unwrap();
            assert_eq!(text, &kept, "{name}.md shows another {file}");
        }
        if name != FIRST {
            let shown = shown.into_iter().map(|(file, _)| file);
            let unshown = UNSHOWN.iter().map(|file| (*file).to_owned());
            let known: BTreeSet<_> = shown.chain(unshown).collect();
            let unknown: Vec<_> = files(&folder).difference(&known).cloned().collect();
            assert!(unknown.is_empty(), "{name}.md does not show {unknown:?}");
        }
    }
}

#[test]
fn commands_are_well_formed_and_exist() {
    let cli = fs::read_to_string(workspace::root().join("docs/cli.md")).unwrap();
    let mut seen = 0;
    for Document { name, steps, asides, .. } in documents() {
        assert!(!steps.is_empty(), "{name}.md says nothing to do");
        let scripts = steps.into_iter().map(|step| step.script).chain(asides);
        for script in scripts {
            let mut shell = Command::new("sh");
            process::run(shell.args(["-n", "-c", &script])).unwrap();
            for line in script.lines().filter_map(|line| line.strip_prefix("warg ")) {
                let word = line.split_whitespace().next().unwrap_or_default();
                let is_known = cli.contains(&format!("### `warg {word}`"));
                assert!(is_known, "{name}.md: warg {word}");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "only {seen} commands of warg");
}

#[test]
fn what_commands_and_links_name_is_there() {
    let root = workspace::root();
    for document in documents() {
        let name = document.name;
        for step in document.steps {
            // What is kept in the tree is named by its folder, what the guide makes is not.
            let is_kept =
                |word: &&str| ["components/", "guides/"].iter().any(|it| word.starts_with(it));
            for word in step.script.split_whitespace().filter(is_kept) {
                assert!(root.join("testdata").join(word).is_file(), "{name}.md: {word}");
            }
        }
        let folder = root.join(document::FOLDER);
        let text = fs::read_to_string(folder.join(format!("{name}.md"))).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            assert!(folder.join(file).exists(), "{name}.md: {link}");
        }
    }
}

#[test]
fn what_is_kept_is_of_a_guide() {
    let kept = Kept::read().unwrap();
    assert!(kept.len() >= 8);
    for Kept { guide, .. } in kept.iter().filter(|it| it.guide.is_some()) {
        assert!(GUIDES.iter().any(|it| Some(it.name) == guide.as_deref()), "{guide:?}");
    }
}
