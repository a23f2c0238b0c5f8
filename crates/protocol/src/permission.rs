//! Permissions and small sets of them.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Something that a key may hold in a log; see
/// [`OperatorPermission`](crate::OperatorPermission) and
/// [`PackagePermission`](crate::PackagePermission).
pub trait Permission:
    Copy + fmt::Debug + fmt::Display + Ord + Hash + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// All permissions of the kind, by number.
    const ALL: &'static [Self];

    /// The number on the wire, 1 to 7.
    fn number(self) -> u8;

    /// The permission with a number on the wire.
    fn from_number(number: i32) -> Option<Self>;

    /// The name in JSON and in messages.
    fn name(self) -> &'static str;
}

/// Declares the permissions of a kind of log with their numbers and names.
macro_rules! named_permission {
    (
        $(#[$meta:meta])*
        pub enum $type:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $number:literal, $name:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $type {
            $($(#[$variant_meta])* #[serde(rename = $name)] $variant = $number,)+
        }

        impl $crate::permission::Permission for $type {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn number(self) -> u8 {
                self as u8
            }

            fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::permission::Permission::name(*self))
            }
        }
    };
}
pub(crate) use named_permission;

/// A set of permissions, one byte in memory. In JSON it is a list of names, in any order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermissionSet<P> {
    bits: u8,
    permission: PhantomData<P>,
}

impl<P: Permission> PermissionSet<P> {
    /// The set with nothing in it.
    pub const EMPTY: Self = Self { bits: 0, permission: PhantomData };

    /// The set of all permissions of the kind.
    pub fn all() -> Self {
        P::ALL.iter().copied().collect()
    }

    /// Whether the permission is in the set.
    pub fn contains(self, permission: P) -> bool {
        self.bits & bit(permission) != 0
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// Adds a permission that may be there already.
    pub fn insert(&mut self, permission: P) {
        self.bits |= bit(permission);
    }

    /// Takes a permission out; `false` if it was not there.
    pub fn remove(&mut self, permission: P) -> bool {
        let was_there = self.contains(permission);
        self.bits &= !bit(permission);
        was_there
    }

    /// The permissions in the set, by number.
    pub fn iter(self) -> impl Iterator<Item = P> {
        P::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }
}

impl<P: Permission> Default for PermissionSet<P> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<P: Permission> FromIterator<P> for PermissionSet<P> {
    fn from_iter<I: IntoIterator<Item = P>>(permissions: I) -> Self {
        let mut set = Self::EMPTY;
        permissions.into_iter().for_each(|permission| set.insert(permission));
        set
    }
}

impl<P: Permission> fmt::Debug for PermissionSet<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<P: Permission> Serialize for PermissionSet<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, P: Permission> Deserialize<'de> for PermissionSet<P> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Vec::<P>::deserialize(from).map(Self::from_iter)
    }
}

fn bit<P: Permission>(permission: P) -> u8 {
    1u8.checked_shl(permission.number().into()).unwrap_or(0)
}
