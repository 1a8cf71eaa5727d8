/* JSON text by hand: loading System.Text.Json would cost each cold start that logs or fails. */
using System;
using System.Globalization;
using System.Text;

namespace Lambent.Runtime;

internal static class Json
{
    /// <summary>Append a string with its quotes.</summary>
    public static void Append(StringBuilder json, string text)
    {
        json.Append('"');
        AppendEscaped(json, text);
        json.Append('"');
    }

    /// <summary>Append what is between a string's quotes.</summary>
    public static void AppendEscaped(StringBuilder json, string text)
    {
        for (var index = 0; index < text.Length; index++)
        {
            var character = text[index];
            switch (character)
            {
                case '"':
                    json.Append("\\\"");
                    break;
                case '\\':
                    json.Append("\\\\");
                    break;
                case '\n':
                    json.Append("\\n");
                    break;
                case '\r':
                    json.Append("\\r");
                    break;
                case '\t':
                    json.Append("\\t");
                    break;
                case < ' ' or '\u0085' or '\u2028' or '\u2029':
                    AppendCode(json, character);
                    break;
                case >= '\ud800' and <= '\udfff':
                    // One half of a pair alone is no text that UTF-8 could hold.
                    if (char.IsHighSurrogate(character) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]))
                    {
                        json.Append(character).Append(text[++index]);
                    }
                    else
                    {
                        AppendCode(json, character);
                    }
                    break;
                default:
                    json.Append(character);
                    break;
            }
        }
    }

    private static void AppendCode(StringBuilder json, char character)
    {
        json.Append("\\u").Append(((int)character).ToString("x4", CultureInfo.InvariantCulture));
    }
}
