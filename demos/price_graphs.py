"""Apples, oranges and tax: derivatives of a price, by expressions and by layers.

The computational graphs of K. Saitoh, Deep Learning from Scratch, chapter 5.
"""

from autodiff import Value
from demos.show import compare, folder, options, save_graph
from nn.book import AddLayer, MulLayer


def apples(count: int) -> tuple[Value, dict[str, Value]]:
    """Return the price of some apples at 100 with 10 % tax, and its variables."""
    apple, number, tax = Value(100, "apple"), Value(count, "apple number"), Value(1.1, "tax")
    price = apple * number * tax
    price.name = "price"
    price.backward()
    return price, {"apple": apple, "apple number": number, "tax": tax}


def apples_and_oranges() -> tuple[Value, dict[str, Value]]:
    """Return the price of 2 apples at 100 and 3 oranges at 150 with 10 % tax, and its parts."""
    apple, apple_number = Value(100, "apple"), Value(2, "apple number")
    orange, orange_number = Value(150, "orange"), Value(3, "orange number")
    tax = Value(1.1, "tax")
    apple_price, orange_price = apple * apple_number, orange * orange_number
    price = (apple_price + orange_price) * tax
    price.name = "price"
    price.backward()
    return price, {
        "apple": apple,
        "apple number": apple_number,
        "orange": orange,
        "orange number": orange_number,
        "tax": tax,
        "apple sub-total": apple_price,
        "orange sub-total": orange_price,
    }


def with_layers(count: int) -> dict[str, float]:
    """Return the price of apples and its derivatives, with the book's layers."""
    apple_layer, tax_layer = MulLayer(), MulLayer()
    price = tax_layer.forward(apple_layer.forward(100, count), 1.1)
    d_apple_price, d_tax = tax_layer.backward(1)
    d_apple, d_number = apple_layer.backward(d_apple_price)
    return {"price": price, "apple": d_apple, "apple number": d_number, "tax": d_tax}


def with_layers_and_oranges() -> dict[str, float]:
    """Return the price of apples and oranges and its derivatives, with the book's layers."""
    apples, oranges, total, taxed = MulLayer(), MulLayer(), AddLayer(), MulLayer()
    apple_price, orange_price = apples.forward(100, 2), oranges.forward(150, 3)
    price = taxed.forward(total.forward(apple_price, orange_price), 1.1)
    d_total, d_tax = taxed.backward(1)
    d_apple_price, d_orange_price = total.backward(d_total)
    d_apple, d_apple_number = apples.backward(d_apple_price)
    d_orange, d_orange_number = oranges.backward(d_orange_price)
    return {
        "price": price,
        "apple": d_apple,
        "apple number": d_apple_number,
        "orange": d_orange,
        "orange number": d_orange_number,
        "tax": d_tax,
        "apple sub-total": d_apple_price,
        "orange sub-total": d_orange_price,
    }


EXPECTED = {
    "2 apples": {"price": 220, "apple": 2.2, "apple number": 110, "tax": 200},
    "5 apples": {"price": 550, "apple": 5.5, "apple number": 110, "tax": 500},
    "2 apples and 3 oranges": {
        "price": 715,
        "apple": 2.2,
        "apple number": 110,
        "orange": 3.3,
        "orange number": 165,
        "tax": 650,
        "apple sub-total": 1.1,
        "orange sub-total": 1.1,
    },
}


def main(argv: list[str] | None = None) -> None:
    """Compute each price and its derivatives twice, and draw the graphs."""
    out = folder(options("price_graphs", __doc__).parse_args(argv).out)
    graphs = {
        "2 apples": apples(2),
        "5 apples": apples(5),
        "2 apples and 3 oranges": apples_and_oranges(),
    }
    layers = {
        "2 apples": with_layers(2),
        "5 apples": with_layers(5),
        "2 apples and 3 oranges": with_layers_and_oranges(),
    }
    for purchase, expected in EXPECTED.items():
        price, parts = graphs[purchase]
        found = {"price": price.data} | {name: part.grad for name, part in parts.items()}
        for way, results in {"as expressions": found, "with layers": layers[purchase]}.items():
            print(f"\n{purchase}, {way}: the price, and its derivative by each part")
            compare(((name, results[name], value) for name, value in expected.items()), decimals=9)
        save_graph(price, out / f"price_{purchase.replace(' ', '_')}.svg")


if __name__ == "__main__":
    main()
