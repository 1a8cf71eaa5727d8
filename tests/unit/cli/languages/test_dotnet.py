""".NET: which method is the handler, and what `dotnet` is asked for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lambent.cli.build_tool import Builder
from lambent.cli.failure import CommandFailed
from lambent.cli.languages.contract import Order
from lambent.cli.languages.dotnet import Dotnet

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "dotnet"

PROJECT = "<Project><PropertyGroup><TargetFramework>net8.0</TargetFramework>{}</PropertyGroup></Project>"
TEMPLATE = "namespace Shop;\npublic class Function\n{{\n    {}\n}}\n"


@pytest.fixture
def order(order: Order) -> Order:
    (order.folder / "Shop.csproj").write_text(PROJECT.format(""))
    return Order(order.folder, order.scratch, "dotnet8", order.name)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("public string FunctionHandler(string input, ILambdaContext context) => input;", "FunctionHandler"),
        (
            "public static async Task<Stream> Serve(Stream input) => input;\npublic void FunctionHandler() {}",
            "FunctionHandler",
        ),
        ("public async Task<Answer?> Handle(Dictionary<string, int> input, ILambdaContext context) => null;", "Handle"),
    ],
)
def test_the_handler_is_found(folder: Path, method: str, expected: str) -> None:
    """By the name that AWS's templates give it, or by the context that it takes; the assembly is the project's."""
    (folder / "Shop.csproj").write_text(PROJECT.format(""))
    (folder / "obj").mkdir()
    (folder / "obj" / "Made.cs").write_text(TEMPLATE.format("public void FunctionHandler() {}"))
    (folder / "Function.cs").write_text(TEMPLATE.format(method))
    assert Dotnet().find_handler(folder) == f"Shop::Shop.Function::{expected}"


def test_a_project_says_what_its_assembly_is(folder: Path) -> None:
    """AssemblyName is its name, and a program is its own handler."""
    (folder / "Shop.csproj").write_text(PROJECT.format("<AssemblyName>My.Shop</AssemblyName>"))
    (folder / "Function.cs").write_text(TEMPLATE.format("public void FunctionHandler() {}"))
    assert Dotnet().find_handler(folder) == "My.Shop::Shop.Function::FunctionHandler"
    (folder / "Shop.csproj").write_text(PROJECT.format("<OutputType>Exe</OutputType>"))
    assert Dotnet().find_handler(folder) == "Shop"


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("public void Other() {}", "no public method in it takes an ILambdaContext or is called FunctionHandler"),
        ("public void A(ILambdaContext c) {}\npublic void B(ILambdaContext c) {}", "several methods may be it"),
    ],
)
def test_nothing_is_guessed(folder: Path, method: str, why: str) -> None:
    """The line says how to name one."""
    (folder / "Shop.csproj").write_text(PROJECT.format(""))
    (folder / "Function.cs").write_text(TEMPLATE.format(method))
    with pytest.raises(CommandFailed, match=rf"{why}.*say --handler ASSEMBLY::NAMESPACE\.CLASS::METHOD"):
        Dotnet().find_handler(folder)


def test_a_project_is_published(fake: Callable[..., Path], builder: Builder, order: Order) -> None:
    """As a release, into a folder of our own, with the file that the runtime looks for."""
    made = order.scratch / "package"
    made.mkdir()
    noted = fake("dotnet", "echo 8.0.404")
    assert Dotnet().build(order, builder) == [made]
    assert noted.read_text().splitlines() == [
        "publish",
        str(order.folder / "Shop.csproj"),
        *("-c", "Release", "-o", str(made), "--nologo", "-p:GenerateRuntimeConfigurationFiles=true"),
    ]


def test_what_is_missing_is_named(fake: Callable[..., Path], builder: Builder, order: Order) -> None:
    """No dotnet, and one without an SDK: each with what installs it."""
    with pytest.raises(CommandFailed, match=r"dotnet is not installed.*apt install dotnet-sdk-8\.0"):
        Dotnet().build(order, builder)
    fake("dotnet", "exit 0")
    with pytest.raises(CommandFailed, match=r"has no SDK to build them with: `apt install dotnet-sdk-8\.0`"):
        Dotnet().build(order, builder)


def test_a_newer_target_than_the_runtime(builder: Builder, order: Order) -> None:
    """It would not start."""
    (order.folder / "Shop.csproj").write_text(PROJECT.format("").replace("net8.0", "net10.0"))
    with pytest.raises(CommandFailed, match=r"is for \.NET 10, which dotnet8 does not run: say --runtime dotnet10"):
        Dotnet().build(order, builder)


def test_the_example_names_its_handler() -> None:
    """What tests/wire invokes by this name."""
    assert Dotnet().find_handler(EXAMPLE) == "Example::Example.Function::Handle"
    assert Dotnet().is_in(EXAMPLE)
