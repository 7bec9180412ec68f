"""Lists of machines for tests: exports as vCenter tools write them, and workbooks made cell by cell."""

from __future__ import annotations

import csv
import io
import random
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from repo_manager.core.inventory import Inventory, Machine, Wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RVTOOLS: Final = (
    "VM", "Powerstate", "Template", "SRM Placeholder", "Config status", "DNS Name", "CPUs", "Memory", "HW version",
    "Annotation", "Datacenter", "Cluster", "Host", "OS according to the configuration file",
    "OS according to the VMware Tools", "Customization Info", "Guest Detailed Data", "VM ID",
)  # fmt: skip

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
_DATE_STYLES: Final = (
    f'<styleSheet xmlns="{_MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'
)


def letters(column: int) -> str:
    """`A` for 1, `AA` for 27."""
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def cell(place: str, value: object) -> str:
    """A cell's XML: text inline, numbers and flags as they are; a text beginning with `<` is the XML itself."""
    if isinstance(value, str) and value.startswith("<"):
        return value.replace("{place}", place)
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>' if value else ""


def sheet_xml(rows: Iterable[Sequence[object]], *, after: str = "") -> str:
    """A sheet's XML."""
    lines = [
        f'<row r="{number}">{"".join(cell(f"{letters(at)}{number}", value) for at, value in enumerate(row, 1))}</row>'
        for number, row in enumerate(rows, 1)
    ]
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData>{after}</worksheet>'


def workbook(sheets: Mapping[str, str], *, shared: str = "", packed: bool = True) -> bytes:
    """A workbook of sheets given as XML."""
    kinds = [
        *(("worksheet", f"worksheets/sheet{at}.xml") for at in range(1, len(sheets) + 1)),
        ("styles", "styles.xml"),
    ]
    kinds += [("sharedStrings", "sharedStrings.xml")] if shared else []
    links = "".join(
        f'<Relationship Id="rId{at}" Type="{_DOCUMENT}/{kind}" Target="{target}"/>'
        for at, (kind, target) in enumerate(kinds, 1)
    )
    titles = "".join(
        f'<sheet name="{escape(title)}" sheetId="{at}" r:id="rId{at}"/>' for at, title in enumerate(sheets, 1)
    )
    entries = {
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="rId1" Type="{_DOCUMENT}/officeDocument"'
        ' Target="/xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}"><sheets>{titles}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">{links}</Relationships>',
        "xl/styles.xml": _DATE_STYLES,
        **{f"xl/worksheets/sheet{at}.xml": xml for at, xml in enumerate(sheets.values(), 1)},
        **({"xl/sharedStrings.xml": shared} if shared else {}),
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED, compresslevel=1) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return data.getvalue()


def xlsx(rows: Iterable[Sequence[object]], title: str = "vInfo") -> bytes:
    """A workbook with one sheet."""
    return workbook({title: sheet_xml(rows)})


def csv_text(rows: Iterable[Sequence[object]], delimiter: str = ",") -> str:
    """Rows as CSV, with the line ends of Windows."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def machine(name: str, system: str = "", **more: object) -> Machine:
    """A machine of a plain list."""
    facts = {"place": "line 2", "wording": Wording.GIVEN, **more}
    return Machine(name=name, system=system, **facts)  # type: ignore[arg-type]


def inventory(*machines: Machine) -> Inventory:
    """A list of these."""
    return Inventory("list.csv", machines)


@cache
def real_texts() -> tuple[str, ...]:
    """What the world calls systems: every line of the table of names."""
    with (Path(__file__).parents[1] / "data" / "os-names.csv").open(encoding="utf-8", newline="") as file:
        return tuple(line["text"] for line in csv.DictReader(file))


_UBUNTU: Final = {"16.04": "4.4.0", "18.04": "4.15.0", "20.04": "5.4.0", "22.04": "5.15.0", "24.04": "6.8.0"}


def made_up(count: int, seed: int = 5) -> tuple[tuple[object, ...], ...]:
    """Rows of an export of so many machines, realistic and not real. Every real text occurs when there are enough."""
    dice = random.Random(seed)  # noqa: S311 - made-up machines, not secrets
    texts = real_texts()
    rows = []
    for number in range(count):
        text = texts[number % len(texts)] if dice.random() < 0.9 or number < len(texts) else dice.choice(texts)
        tools, configured, detailed = text, dice.choice(texts), ""
        lot = dice.random()
        if lot < 0.2:
            tools, configured = "", text
        elif lot < 0.35:
            release, base = dice.choice(tuple(_UBUNTU.items()))
            pretty = f"Ubuntu {release}.{dice.randint(1, 6)} LTS"
            detailed = (
                f"architecture='X86' bitness='64' distroName='Ubuntu' distroVersion='{release}' familyName='Linux'"
                f" kernelVersion='{base}-{dice.randint(1, 200)}-generic' prettyName='{pretty}'"
            )
        elif lot < 0.4:
            tools = configured = ""
        facts = {
            "VM": f"{dice.choice(('app', 'db', 'web', 'sap', 'dc'))}-{dice.choice(('par', 'fra', 'osl'))}-{number:05}",
            "Powerstate": dice.choice(("poweredOn", "poweredOn", "poweredOff", "suspended")),
            "Template": "True" if dice.random() < 0.01 else "False",
            "SRM Placeholder": "True" if dice.random() < 0.01 else "False",
            "CPUs": dice.choice((2, 4, 8)),
            "Memory": dice.choice((4096, 8192, 65536)),
            "Annotation": dice.choice(("", "patch window:\nSunday", 'the "old" one; ask first')),
            "Host": f"esx{dice.randint(1, 40):02}.example",
            "OS according to the configuration file": configured,
            "OS according to the VMware Tools": tools,
            "Guest Detailed Data": detailed,
            "VM ID": f"vm-{number}",
        }
        rows.append(tuple(facts.get(heading, "") for heading in RVTOOLS))
    return tuple(rows)


def exported(name: str, tools: str = "", configured: str = "", **more: str) -> tuple[str, ...]:
    """A row of an export."""
    facts = {
        "VM": name,
        "OS according to the configuration file": configured,
        "OS according to the VMware Tools": tools,
        "Guest Detailed Data": more.get("detailed", ""),
        "Powerstate": more.get("power", "poweredOn"),
        "Template": more.get("template", "False"),
        "SRM Placeholder": more.get("placeholder", "False"),
    }
    return tuple(facts.get(heading, "") for heading in RVTOOLS)


def ubuntu_20(kernel: str) -> str:
    """The detailed data of an Ubuntu 20.04 that runs this kernel."""
    return (
        "architecture='X86' bitness='64' distroName='Ubuntu' distroVersion='20.04' familyName='Linux'"
        f" kernelVersion='{kernel}' prettyName='Ubuntu 20.04.6 LTS'"
    )


A_WAVE: Final = (
    exported("web-01", "Red Hat Enterprise Linux 7.9"),
    exported("web-02", "Red Hat Enterprise Linux 7.9", power="poweredOff"),
    exported("db-01", "Oracle Linux Server 7.9", "CentOS 4/5/6/7 (64-bit)"),
    exported("db-02", "", "SUSE Linux Enterprise 11 (64-bit)"),
    exported("db-03", "", "SUSE Linux Enterprise 11 (64-bit)"),
    exported("app-01", detailed=ubuntu_20("5.15.0-100-generic")),
    exported("app-02", detailed=ubuntu_20("5.15.0-139-generic")),
    exported("app-03", detailed=ubuntu_20("5.15.0-139-azure")),
    exported("new-01", "Ubuntu 22.04.4 LTS"),
    exported("old-01", "Microsoft Windows Server 2003 (32-bit)"),
    exported("box-01", "Other 3.x or later Linux (64-bit)"),
    exported("dc-01", "Microsoft Windows Server 2019 (64-bit)"),
    exported("=cmd|' /C calc'!A0", "CentOS Linux release 8.4.2105"),
    exported("gold", "CentOS 7", template="True"),
    exported("far", "CentOS 7", placeholder="True"),
    exported("", "CentOS 7"),
    exported("WEB-01", "Red Hat Enterprise Linux 7.9"),
)
"""Machines of a small wave, of every kind there is."""
