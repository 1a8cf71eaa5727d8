"""
One suite per contract. An implementation's tests subclass the suite and say how to open the implementation.

The methods are collected by pytest, whose fixtures hand in what a suite asks for in its docstring.
"""
