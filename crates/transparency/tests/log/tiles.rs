//! Tiles and entry bundles as bytes.

use wargate_crypto::Digest;
use wargate_transparency::log::{EntryBundle, EntryBundleError, Tile, TileError, TileWidth};

use crate::model::plain_leaves;

fn width(width: u16) -> TileWidth {
    TileWidth::new(width).unwrap()
}

#[test]
fn tiles_are_runs_of_hashes() {
    let hashes: Vec<Digest> = plain_leaves(256).iter().map(|leaf| leaf.digest()).collect();
    for count in [1, 2, 3, 255, 256] {
        let tile = Tile::new(hashes[..count].to_vec()).unwrap();
        let bytes = tile.encode();
        assert_eq!(bytes.len(), 32 * count);
        assert_eq!(bytes[32 * (count - 1)..], hashes[count - 1].as_bytes()[..]);
        assert_eq!(Tile::decode(&bytes), Ok(tile));
        assert_eq!(Tile::decode(&bytes[1..]), Err(TileError::Torn(bytes.len() - 1)));
    }
    assert_eq!(Tile::decode(&[]), Err(TileError::Width(0)));
    assert_eq!(Tile::decode(&[0; 257 * 32]), Err(TileError::Width(257)));
    assert_eq!(Tile::new(vec![hashes[0]; 257]), Err(TileError::Width(257)));
    assert_eq!(TileWidth::new(0), None);
    assert_eq!(TileWidth::new(257), None);
}

#[test]
fn entry_bundles_round_trip() {
    let rows: [Vec<Vec<u8>>; 4] = [
        vec![vec![]],
        vec![b"one".to_vec(), vec![], vec![0; 65_535]],
        vec![vec![7]; 256],
        (0..=255).map(|i| vec![i; usize::from(i)]).collect(),
    ];
    for entries in rows {
        let bundle = EntryBundle::new(&entries).unwrap();
        assert!(bundle.entries().eq(entries.iter().map(Vec::as_slice)));
        assert_eq!(usize::from(bundle.width().get()), entries.len());
        assert_eq!(EntryBundle::decode(bundle.as_bytes(), bundle.width()), Ok(bundle));
    }
    assert_eq!(EntryBundle::new(&[b"abc"]).unwrap().as_bytes(), b"\0\x03abc");
}

#[test]
fn other_entry_bundles_are_refused() {
    let decode = |bytes: &[u8], count| EntryBundle::decode(bytes, width(count)).unwrap_err();
    let other = |asked, found| EntryBundleError::OtherWidth { asked, found };
    assert_eq!(decode(b"", 1), other(1, 0));
    assert_eq!(decode(b"\0\0", 2), other(2, 1));
    assert_eq!(decode(b"\0\0\0\0\0\0\0\0", 2), other(2, 3));
    assert_eq!(decode(b"\0", 1), EntryBundleError::Torn { place: 0 });
    assert_eq!(decode(b"\0\x02a", 1), EntryBundleError::Torn { place: 0 });
    assert_eq!(decode(b"\0\0\xff\xffa", 2), EntryBundleError::Torn { place: 1 });
    let none: [&[u8]; 0] = [];
    assert_eq!(EntryBundle::new(&none), Err(EntryBundleError::Width(0)));
    assert_eq!(EntryBundle::new(&[[0]; 257]), Err(EntryBundleError::Width(257)));
    let long = EntryBundleError::EntryTooLong { place: 1, bytes: 65_536 };
    assert_eq!(EntryBundle::new(&[vec![], vec![0; 65_536]]), Err(long));
}
