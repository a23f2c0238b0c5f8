//! Paths of tiles and entry bundles (C2SP tlog-tiles).

use proptest::prelude::*;
use wargate_transparency::log::{
    EntriesRef, LogLength, ResourcePathError, TileId, TileRef, TileWidth,
};

fn tile(level: u8, index: u64, width: u16) -> TileRef {
    TileRef { id: TileId::new(level, index).unwrap(), width: TileWidth::new(width).unwrap() }
}

#[test]
fn paths_both_ways() {
    let rows = [
        (tile(0, 0, 256), "tile/0/000"),
        (tile(0, 5, 1), "tile/0/005.p/1"),
        (tile(1, 999, 255), "tile/1/999.p/255"),
        (tile(2, 1000, 256), "tile/2/x001/000"),
        // The example of C2SP tlog-tiles.
        (tile(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (tile(0, 1_234_067, 5), "tile/0/x001/x234/067.p/5"),
        (tile(7, 0, 128), "tile/7/000.p/128"),
        (tile(0, (1 << 55) - 1, 256), "tile/0/x036/x028/x797/x018/x963/967"),
    ];
    for (tile, path) in rows {
        assert_eq!(tile.to_string(), path);
        assert_eq!(path.parse(), Ok(tile));
    }
    let entries = EntriesRef::new(1_234_067, TileWidth::new(5).unwrap()).unwrap();
    assert_eq!(entries.to_string(), "tile/entries/x001/x234/067.p/5");
    assert_eq!("tile/entries/x001/x234/067.p/5".parse(), Ok(entries));
    assert_eq!("tile/entries/000".parse(), Ok(EntriesRef::new(0, TileWidth::FULL).unwrap()));
}

#[test]
fn other_paths_are_refused() {
    use ResourcePathError::{Index, OutOfRange, Prefix, Width};
    let rows = [
        ("", Prefix),
        ("tile/", Prefix),
        ("tile/0", Prefix),
        ("/tile/0/000", Prefix),
        ("tile/00/000", Prefix),
        ("tile/+1/000", Prefix),
        ("tile/-1/000", Prefix),
        ("tile/64/000", Prefix),
        ("tile/entries/000", Prefix),
        ("tile/63/000", OutOfRange),
        ("tile/8/000", OutOfRange),
        ("tile/7/001", OutOfRange),
        ("tile/0/x036/x028/x797/x018/x963/968", OutOfRange),
        ("tile/0/x999/x999/x999/x999/x999/x999/999", OutOfRange),
        ("tile/0/", Index),
        ("tile/0/00", Index),
        ("tile/0/0000", Index),
        ("tile/0/x000", Index),
        ("tile/0/x000/001", Index),
        ("tile/0/001/000", Index),
        ("tile/0/x001/x000", Index),
        ("tile/0/x001/000/", Index),
        ("tile/0/+01", Index),
        ("tile/0/00a", Index),
        ("tile/0/x001//000", Index),
        ("tile/0/\u{0660}0", Index),
        ("tile/0/x001/x001/x001/x001/x001/x001/x001/x001/x001/x001/x001/x001/001", Index),
        ("tile/0/000.p", Index),
        ("tile/0/000.p/", Width),
        ("tile/0/000.p/0", Width),
        ("tile/0/000.p/01", Width),
        ("tile/0/000.p/+1", Width),
        ("tile/0/000.p/256", Width),
        ("tile/0/000.p/1/", Width),
        ("tile/0/000.p/1.p/1", Width),
    ];
    for (path, error) in rows {
        assert_eq!(path.parse::<TileRef>(), Err(error), "{path}");
    }
    assert_eq!("tile/0/000".parse::<EntriesRef>(), Err(Prefix));
    assert_eq!("tile/entries/x036/x028/x797/x018/x963/968".parse::<EntriesRef>(), Err(OutOfRange));
}

proptest! {
    #[test]
    fn a_path_is_that_of_one_tile(
        level in 0_u8..8,
        index in any::<u64>(),
        by in 0_u32..64,
        width in 1_u16..=256,
    ) {
        if let (Some(id), Some(width)) = (TileId::new(level, index >> by), TileWidth::new(width)) {
            let tile = TileRef { id, width };
            prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        }
    }

    #[test]
    fn what_parses_is_written_the_same(path in "tile/[0-9x/.p]{0,24}") {
        if let Ok(tile) = path.parse::<TileRef>() {
            prop_assert_eq!(tile.to_string(), path);
        }
    }
}

/// The example of C2SP tlog-tiles, *Partial Tiles*: a log of 70,000 entries.
#[test]
fn tiles_of_seventy_thousand_entries() {
    let at = LogLength::from(70_000);
    let width = |level, index| TileId::new(level, index).unwrap().width_at(at).map(TileWidth::get);
    assert_eq!([width(0, 272), width(0, 273), width(0, 274)], [Some(256), Some(112), None]);
    assert_eq!([width(1, 0), width(1, 1), width(1, 2)], [Some(256), Some(17), None]);
    assert_eq!([width(2, 0), width(2, 1), width(3, 0)], [Some(1), None, None]);
    let partial: Vec<_> = TileId::partial_at(at).map(|tile| tile.to_string()).collect();
    assert_eq!(partial, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
    let partial: Vec<_> = TileId::partial_at(LogLength::from(256)).collect();
    assert_eq!(partial, [tile(1, 0, 1)]);
    assert_eq!(EntriesRef::at_length(273, at).unwrap().to_string(), "tile/entries/273.p/112");
    assert_eq!(EntriesRef::at_length(274, at), None);
}

#[test]
fn the_longest_log_has_tiles() {
    assert_eq!(TileId::partial_at(LogLength::EMPTY).count(), 0);
    let partial: Vec<_> = TileId::partial_at(LogLength::MAX).collect();
    assert_eq!(partial, [tile(7, 0, 128)]);
    let almost = LogLength::new(LogLength::MAX.get() - 1).unwrap();
    assert_eq!(TileId::partial_at(almost).count(), 8);
    assert_eq!(TileId::new(0, u64::MAX), None);
    assert_eq!(TileId::new(8, 0), None);
    assert_eq!(TileId::new(255, 0), None);
}
