//! Azure's public regions: display and programmatic names, as its public list of locations had them in
//! March 2026.

/// `(programmatic, display)`, sorted by the programmatic name.
pub const REGIONS: [(&str, &str); 58] = [
    ("australiacentral", "Australia Central"),
    ("australiacentral2", "Australia Central 2"),
    ("australiaeast", "Australia East"),
    ("australiasoutheast", "Australia Southeast"),
    ("austriaeast", "Austria East"),
    ("belgiumcentral", "Belgium Central"),
    ("brazilsouth", "Brazil South"),
    ("brazilsoutheast", "Brazil Southeast"),
    ("canadacentral", "Canada Central"),
    ("canadaeast", "Canada East"),
    ("centralindia", "Central India"),
    ("centralus", "Central US"),
    ("chilecentral", "Chile Central"),
    ("denmarkeast", "Denmark East"),
    ("eastasia", "East Asia"),
    ("eastus", "East US"),
    ("eastus2", "East US 2"),
    ("francecentral", "France Central"),
    ("francesouth", "France South"),
    ("germanynorth", "Germany North"),
    ("germanywestcentral", "Germany West Central"),
    ("indonesiacentral", "Indonesia Central"),
    ("israelcentral", "Israel Central"),
    ("italynorth", "Italy North"),
    ("japaneast", "Japan East"),
    ("japanwest", "Japan West"),
    ("jioindiacentral", "Jio India Central"),
    ("jioindiawest", "Jio India West"),
    ("koreacentral", "Korea Central"),
    ("koreasouth", "Korea South"),
    ("malaysiawest", "Malaysia West"),
    ("mexicocentral", "Mexico Central"),
    ("newzealandnorth", "New Zealand North"),
    ("northcentralus", "North Central US"),
    ("northeurope", "North Europe"),
    ("norwayeast", "Norway East"),
    ("norwaywest", "Norway West"),
    ("polandcentral", "Poland Central"),
    ("qatarcentral", "Qatar Central"),
    ("southafricanorth", "South Africa North"),
    ("southafricawest", "South Africa West"),
    ("southcentralus", "South Central US"),
    ("southeastasia", "Southeast Asia"),
    ("southindia", "South India"),
    ("spaincentral", "Spain Central"),
    ("swedencentral", "Sweden Central"),
    ("switzerlandnorth", "Switzerland North"),
    ("switzerlandwest", "Switzerland West"),
    ("uaecentral", "UAE Central"),
    ("uaenorth", "UAE North"),
    ("uksouth", "UK South"),
    ("ukwest", "UK West"),
    ("westcentralus", "West Central US"),
    ("westeurope", "West Europe"),
    ("westindia", "West India"),
    ("westus", "West US"),
    ("westus2", "West US 2"),
    ("westus3", "West US 3"),
];

/// The programmatic form of a region's name, whether it came as `westeurope` or as `West Europe`. Every
/// public region's display name differs from it only by capitals and spaces, so this also serves
/// regions that are newer than the table.
#[must_use]
pub fn programmatic(name: &str) -> String {
    name.chars()
        .filter(|letter| !letter.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether this programmatic name is in the table.
#[must_use]
pub fn is_known(programmatic: &str) -> bool {
    REGIONS
        .binary_search_by_key(&programmatic, |(name, _)| name)
        .is_ok()
}

/// The display name of a region in the table, for example `West Europe`.
#[must_use]
pub fn display(programmatic: &str) -> Option<&'static str> {
    let index = REGIONS
        .binary_search_by_key(&programmatic, |(name, _)| name)
        .ok()?;
    REGIONS.get(index).map(|(_, display)| *display)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_display_name_becomes_its_programmatic_name() {
        for (name, shown) in REGIONS {
            assert_eq!(programmatic(shown), name);
            assert_eq!(display(name), Some(shown));
            assert!(is_known(name));
        }
        assert!(!is_known("atlantis"));
        assert_eq!(display("atlantis"), None);
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(REGIONS.is_sorted());
    }
}
