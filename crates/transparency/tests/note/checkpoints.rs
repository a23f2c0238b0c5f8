//! The text of checkpoints.

use wargate_crypto::Digest;
use wargate_transparency::log::{Edge, LogLength, empty_root};
use wargate_transparency::note::{Checkpoint, CheckpointError, Note};

/// The example of C2SP tlog-checkpoint.
const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
    — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

#[test]
fn the_example_of_c2sp() {
    let note: Note = EXAMPLE.parse().unwrap();
    let checkpoint: Checkpoint = note.unverified_text().parse().unwrap();
    assert_eq!(checkpoint.origin(), "example.com/behind-the-sofa");
    assert_eq!(checkpoint.length(), LogLength::from(20_852_163));
    assert!(checkpoint.root().to_string().starts_with("sha256:0ac5186a91863e8e"));
    assert!(checkpoint.extensions().is_empty());
    assert_eq!(checkpoint.to_string(), note.unverified_text());
}

#[test]
fn checkpoints_both_ways() {
    let empty = Checkpoint::new("example.com/log", Edge::empty().length(), empty_root()).unwrap();
    let text = "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
    assert_eq!(empty.to_string(), text);
    assert_eq!(text.parse(), Ok(empty.clone()));
    let extended = empty.with_extension("one two").unwrap().with_extension("3").unwrap();
    let text = format!("{text}one two\n3\n");
    assert_eq!(extended.to_string(), text);
    assert_eq!(text.parse(), Ok(extended));
    let longest = Checkpoint::new("a b+c", LogLength::MAX, Digest::of(b"")).unwrap();
    assert_eq!(longest.to_string().parse(), Ok(longest));
}

#[test]
fn other_texts_are_refused() {
    use CheckpointError::{ControlCharacter, EmptyLine, Root, Size, TooFewLines, UnfinishedText};
    let rows = [
        (String::new(), UnfinishedText),
        (format!("o\n1\n{ROOT}"), UnfinishedText),
        ("\n".into(), TooFewLines),
        ("o\n".into(), TooFewLines),
        ("o\n1\n".into(), TooFewLines),
        ("o\n1\n\n".into(), Root),
        (format!("\n1\n{ROOT}\n"), EmptyLine),
        (format!("o\n1\n{ROOT}\n\n"), EmptyLine),
        (format!("o\n1\n{ROOT}\n\next\n"), EmptyLine),
        (format!("o\r\n1\n{ROOT}\n"), ControlCharacter),
        (format!("o\n1\n{ROOT}\ne\tx\n"), ControlCharacter),
        (format!("o\n\n{ROOT}\n"), Size),
        (format!("o\n01\n{ROOT}\n"), Size),
        (format!("o\n00\n{ROOT}\n"), Size),
        (format!("o\n+1\n{ROOT}\n"), Size),
        (format!("o\n-1\n{ROOT}\n"), Size),
        (format!("o\n 1\n{ROOT}\n"), Size),
        (format!("o\n1 \n{ROOT}\n"), Size),
        (format!("o\n0x1\n{ROOT}\n"), Size),
        (format!("o\n9223372036854775809\n{ROOT}\n"), Size),
        (format!("o\n99999999999999999999\n{ROOT}\n"), Size),
        (format!("o\n1\n{ROOT} \n"), Root),
        (format!("o\n1\n{}\n", &ROOT[..43]), Root),
        (format!("o\n1\n{}\n", ROOT.replace('+', "-").replace('/', "_")), Root),
        // 31 bytes, 33 bytes, bits after the end.
        ("o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n".into(), Root),
        ("o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2IA\n".into(), Root),
        ("o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n".into(), Root),
    ];
    for (text, error) in rows {
        assert_eq!(text.parse::<Checkpoint>(), Err(error), "{text:?}");
    }
    assert_eq!(Checkpoint::new("", LogLength::EMPTY, empty_root()), Err(EmptyLine));
    assert_eq!(Checkpoint::new("a\nb", LogLength::EMPTY, empty_root()), Err(ControlCharacter));
}
