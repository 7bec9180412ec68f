"""The words people and machines use for operating systems. Data only.

A name is written as people write it; the reader takes it apart into words the same way it does
with a query, so case, hyphens and doubled spaces do not matter.
"""

from __future__ import annotations

from typing import Final

RED_HAT: Final = "Red Hat Enterprise Linux"
RED_HAT_LINUX: Final = "Red Hat Linux"
CENTOS: Final = "CentOS"
ROCKY: Final = "Rocky Linux"
ALMA: Final = "AlmaLinux"
ORACLE: Final = "Oracle Linux"
SLES: Final = "SUSE Linux Enterprise Server"
SLED: Final = "SUSE Linux Enterprise Desktop"
OPENSUSE: Final = "openSUSE"
UBUNTU: Final = "Ubuntu"
DEBIAN: Final = "Debian"
WINDOWS_SYSTEM: Final = "Windows"

NAMES: Final[dict[str, tuple[str, ...]]] = {
    RED_HAT: (
        "red hat enterprise linux", "redhat enterprise linux", "redhatenterpriselinux", "red hat enterprise",
        "red hat", "redhat", "rhel", "rhes",
    ),
    RED_HAT_LINUX: ("red hat linux", "redhat linux"),
    CENTOS: ("centos", "cent os", "centoslinux", "centosstream"),
    ROCKY: ("rocky linux", "rockylinux"),
    ALMA: ("alma linux", "almalinux", "almalinux os"),
    ORACLE: (
        "oracle linux", "oraclelinux", "oraclelinuxserver", "oracle enterprise linux", "oracle unbreakable linux",
        "enterprise linux enterprise linux", "oel",
    ),
    SLES: (
        "suse linux enterprise server", "suse linux enterprise", "suse enterprise linux", "suse enterprise",
        "suse linux", "suse", "sles", "sles4sap", "sle server",
    ),
    SLED: ("suse linux enterprise desktop", "sle desktop", "sled"),
    OPENSUSE: ("opensuse", "open suse", "suse opensuse", "suse linux opensuse"),
    UBUNTU: ("ubuntu", "ubuntulinux", "ubuntuserver"),
    DEBIAN: ("debian",),
    WINDOWS_SYSTEM: (
        "windows", "windowsserver", "win server", "win srv", "win svr", "winsrv", "microsoft server",
        "hyper v server", "microsoft hyper v server",
        "small business server", "windows small business server",
    ),
}  # fmt: skip
"""Systems that have packages. The longest name that fits wins."""

TERSE_NAMES: Final[dict[str, tuple[str, ...]]] = {
    RED_HAT: ("rh",),
    ROCKY: ("rocky",),
    ALMA: ("alma",),
    ORACLE: ("ol", "oracle"),
    SLES: ("sle",),
    DEBIAN: ("deb",),
    WINDOWS_SYSTEM: ("win", "winserver"),
}
"""Abbreviations that mean a system only where a version follows at once: `OL8`, `Win 2016`."""

OTHERS: Final[dict[str, tuple[str, ...]]] = {
    "Fedora": ("fedora",),
    "Amazon Linux": ("amazon linux", "amazonlinux", "amzn"),
    "Red Hat CoreOS": ("red hat enterprise linux coreos", "red hat coreos", "rhcos"),
    "Red Hat Virtualization Host": ("red hat virtualization", "rhvh"),
    "Scientific Linux": ("scientific linux", "scientificlinux", "scientific"),
    "CloudLinux": ("cloudlinux", "cloud linux"),
    "Virtuozzo": ("virtuozzo",),
    "EuroLinux": ("eurolinux",),
    "Springdale Linux": ("springdale",),
    "MIRACLE LINUX": ("miracle linux", "miraclelinux"),
    "Asianux": ("asianux", "asia linux"),
    "Turbolinux": ("turbolinux", "turbo linux"),
    "Mandriva": ("mandriva", "mandrake", "mandrakelinux", "mandriva linux"),
    "Mageia": ("mageia",),
    "Pardus": ("pardus",),
    "ROSA Linux": ("rosa linux", "rosa enterprise"),
    "ALT Linux": ("alt linux", "altlinux"),
    "Astra Linux": ("astra linux", "astralinux", "astra"),
    "RED OS": ("red os", "redos"),
    "Anolis OS": ("anolis", "anolis os"),
    "Alibaba Cloud Linux": ("alibaba cloud linux", "aliyun linux", "alinux"),
    "TencentOS": ("tencentos", "opencloudos"),
    "openEuler": ("openeuler",),
    "EulerOS": ("euleros", "euler os"),
    "Kylin": ("kylin", "neokylin", "kylinos"),
    "UOS": ("uniontech os", "uos", "deepin"),
    "Photon OS": ("photon", "photon os", "vmwarephoton", "vmware photon"),
    "CoreOS": ("coreos", "container linux", "coreos linux", "fedora coreos"),
    "Flatcar": ("flatcar", "flatcar container linux"),
    "RancherOS": ("rancheros",),
    "Talos": ("talos linux", "talos"),
    "Bottlerocket": ("bottlerocket",),
    "Azure Linux": ("azure linux", "azurelinux", "cbl mariner", "mariner"),
    "Clear Linux": ("clear linux",),
    "SUSE Linux Enterprise Micro": ("suse linux enterprise micro", "suse linux micro", "sle micro", "sl micro"),
    "SUSE Linux Enterprise High Performance Computing": (
        "suse linux enterprise high performance computing", "sle hpc", "suse linux enterprise hpc",
    ),
    "Novell Linux Desktop": ("novell linux desktop", "nld"),
    "Novell Open Enterprise Server": ("open enterprise server", "novell open enterprise server", "oes"),
    "Novell NetWare": ("netware", "novell netware"),
    "Sun Java Desktop System": ("sun java desktop system", "sjds", "java desktop system"),
    "Linux Mint": ("linux mint", "linuxmint", "lmde"),
    "Ubuntu Core": ("ubuntu core", "ubuntu touch"),
    "Pop!_OS": ("pop os", "pop!_os"),
    "elementary OS": ("elementary os", "elementary"),
    "Zorin OS": ("zorin", "zorin os"),
    "KDE neon": ("kde neon",),
    "Kali Linux": ("kali", "kali linux"),
    "Parrot OS": ("parrot os", "parrot security", "parrotsec"),
    "Raspbian": ("raspbian", "raspberry pi os"),
    "Devuan": ("devuan",),
    "Proxmox VE": ("proxmox",),
    "MX Linux": ("mx linux",),
    "Tails": ("tails os",),
    "Knoppix": ("knoppix",),
    "Arch Linux": ("arch linux", "archlinux"),
    "Manjaro": ("manjaro",),
    "Alpine Linux": ("alpine linux", "alpine"),
    "Gentoo": ("gentoo",),
    "Slackware": ("slackware",),
    "NixOS": ("nixos",),
    "Void Linux": ("void linux",),
    "Solus": ("solus os",),
    "Endless OS": ("endless os",),
    "VyOS": ("vyos", "vyatta"),
    "OpenWrt": ("openwrt",),
    "IPFire": ("ipfire",),
    "Chrome OS": ("chrome os", "chromeos"),
    "Android": ("android",),
    "FreeBSD": ("freebsd", "freenas", "truenas", "pfsense", "opnsense"),
    "OpenBSD": ("openbsd",),
    "NetBSD": ("netbsd",),
    "DragonFly BSD": ("dragonfly bsd", "dragonflybsd"),
    "Solaris": ("solaris", "oracle solaris", "sun solaris", "sunos", "openindiana", "illumos", "opensolaris", "omnios"),
    "AIX": ("aix", "ibm aix"),
    "HP-UX": ("hp-ux", "hpux"),
    "z/OS": ("z/os",),
    "macOS": ("macos", "mac os", "os x", "osx", "mac os x", "darwin", "apple macos", "apple mac os x"),
    "OS/2": ("os/2", "ibm os/2"),
    "eComStation": ("ecomstation", "ecom station"),
    "SCO OpenServer": ("openserver", "sco openserver", "sco unix"),
    "SCO UnixWare": ("unixware", "sco unixware"),
    "MS-DOS": ("ms-dos", "msdos", "freedos", "dos"),
    "BeOS": ("beos", "haiku os"),
    "VMware ESX": ("vmware esx", "vmware esxi", "esx", "esxi", "vmkernel"),
    "VMware CRX": ("crx pod", "crx sys", "crxpod", "crxsys", "vmware crx", "crxpodguest"),
    "Citrix Hypervisor": ("xenserver", "citrix hypervisor", "xcp-ng"),
    "Oracle VM Server": ("oracle vm server",),
    "Windows XP": ("windows xp", "win xp", "winxp", "microsoft windows xp"),
    "Windows Vista": ("windows vista", "win vista", "winvista"),
    "Windows Me": ("windows me", "windows millennium", "win me"),
    "Windows CE": ("windows ce", "windows phone", "windows mobile"),
}  # fmt: skip
"""Systems that are known and have no package."""

OLDER_NAMESAKES: Final = {RED_HAT_LINUX: {5: 2, 6: 2, 7: 3, 8: 0, 9: 0}}
"""The last minor of each major of a 32-bit system that had this name before. Red Hat Linux ended with 9 in 2003."""

WRITTEN_WITHOUT_NAME: Final = (DEBIAN, RED_HAT, ORACLE, UBUNTU)
"""Systems that a number alone may mean: `/etc/debian_version` holds nothing else, and people leave out names."""

FILLERS: Final = frozenset(
    """
    linux gnu os server serveur servers release rel version ver v edition distribution enterprise ee community
    as es ws advanced workstation client computenode compute node desktop standard std datacenter dc data center
    for sap applications vmware ltss stream leap lts r n kn nt
    storage web small business essential essentials hpc home multipoint premium hyper ent foundation core
    pro professional ultimate starter education iot embedded industry posready srv svr family threshold evaluation
    / , microsoft
    """.split()  # noqa: SIM905 - a wall of quoted words would hide the words
)
"""Words that may stand between a system's name and its version."""

TAIL_MARKS: Final = frozenset(
    {"stream", "lts", "sid", "testing", "unstable", "tumbleweed", "microos", "rtm", "client", "computenode", "desktop",
     "release", "next", "insider", "preview"}
)  # fmt: skip
"""Words that change the answer also where they follow the version."""

UNCONFIGURED: Final = "unconfigured"
"""The mark of words that are not the guest type somebody chose when the machine was created."""

GENERIC: Final = frozenset({"other", "linux", "unix", "autre", "andere", "kernel"})
"""Words that say what kind of thing it is and not which."""

CODENAMES: Final[dict[str, dict[str, tuple[int, int | None]]]] = {
    UBUNTU: {
        "hardy": (8, 4), "lucid": (10, 4), "precise": (12, 4), "trusty": (14, 4), "utopic": (14, 10), "vivid": (15, 4),
        "wily": (15, 10), "xenial": (16, 4), "yakkety": (16, 10), "zesty": (17, 4), "artful": (17, 10),
        "bionic": (18, 4), "cosmic": (18, 10), "disco": (19, 4), "eoan": (19, 10), "focal": (20, 4),
        "groovy": (20, 10), "hirsute": (21, 4), "impish": (21, 10), "jammy": (22, 4), "kinetic": (22, 10),
        "lunar": (23, 4), "mantic": (23, 10), "noble": (24, 4), "oracular": (24, 10), "plucky": (25, 4),
        "questing": (25, 10),
    },
    DEBIAN: {
        "sarge": (3, None), "etch": (4, None), "lenny": (5, None), "squeeze": (6, None), "wheezy": (7, None),
        "jessie": (8, None), "stretch": (9, None), "buster": (10, None), "bullseye": (11, None),
        "bookworm": (12, None), "trixie": (13, None), "forky": (14, None),
    },
    WINDOWS_SYSTEM: {"threshold": (2016, None), "longhorn": (2008, None)},
}  # fmt: skip
"""Names of releases. Alone those of Linux speak where they are the whole query."""

CODENAME_PARTNERS: Final = frozenset({"tahr", "xerus", "beaver", "fossa", "jellyfish", "numbat", "lts", "/", "sid"})
"""What may stand beside a release's name when there is nothing else."""

GUEST_IDS: Final = {
    # The API's names are older than the systems' names: 9 is 10, and "Next" is the release after.
    "windows7server": "windows server 2008 r2",
    "windows7srv": "windows server 2008 r2",
    "windows8srv": "windows server 2012",
    "windows9srv": "windows server 2016",
    "windows8server": "windows server 2012",
    "windows9": "windows 10",
    "windows9server": "windows server 2016",
    "windows2019srvnext": "windows server 2022",
    "windows2022srvnext": "windows server 2025",
    "windows2025srvnext": "windows server 2025 or later",
    "windowsserver2021": "windows server 2022",
    "windowsserver2022next": "windows server 2025",
    "windowshyperv": "windows hyper v",
    "winlonghorn": "windows server 2008",
    "winvista": "windows vista",
    "winxppro": "windows xp",
    "winxphome": "windows xp",
    "winme": "windows me",
    "winnt": "windows nt 4",
    "win31": "windows 3.1",
    "win2000pro": "windows 2000",
    "win2000serv": "windows 2000",
    "win2000advserv": "windows 2000",
    "winnetweb": "windows server 2003",
    "winnetstandard": "windows server 2003",
    "winnetenterprise": "windows server 2003",
    "winnetdatacenter": "windows server 2003",
    "winnetbusiness": "windows server 2003",
    "ecomstation2": "ecomstation",
    "amazonlinux3": "amazon linux",
}
"""Guest ids of vCenter that do not say what they mean, without underscores, bits and `Guest`.

Evidence: vSphere API, VirtualMachineGuestOsIdentifier.
"""

GUEST_IDS_IN_FULL: Final = {
    "centos": "centos 4/5/6/7",
    "oraclelinux": "oracle linux 4/5/6/7",
    "sles": "sles 9",
    "redhat": "rhel 2.1",
    "os2": "os/2",
    "other24xlinux": "other linux",
    "other26xlinux": "other linux",
    "genericlinux": "other linux",
}
"""The same for ids that mean this only where the word `Guest` ends them."""

UNSIZED_GUESTS: Final = frozenset({"windows", "linux", "windowshyperv"})
"""Families and a host: they have the form of an id and say nothing of 32 or 64 bits."""
