/* The least that .NET starts, which the benchmark measures a cold start beside. */
using System;

Console.WriteLine("hello");
