// Asks Bio-Formats which files are one image, as OMERO's importer does (ome.formats.importer.ImportCandidates opens
// each file with an ImageReader at the level MINIMUM, with grouping). Run as `java -cp bioformats_package.jar
// Witness.java`; it reads one path a line, percent-encoded, and answers each with one line of words, separated by tabs.
// `readers` is answered by a line for each reader: its name, whether a suffix of its own is necessary and whether it is
// sufficient, and its suffixes.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import loci.common.DebugTools;
import loci.formats.FormatReader;
import loci.formats.FormatTools;
import loci.formats.IFormatReader;
import loci.formats.ImageReader;
import loci.formats.in.DynamicMetadataOptions;
import loci.formats.in.MetadataLevel;

public class Witness {
  private static final PrintStream ANSWERS = System.out;

  public static void main(String[] words) throws Exception {
    System.setOut(System.err); // what its libraries print is no answer
    DebugTools.setRootLevel("OFF");
    BufferedReader asked = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = asked.readLine(); line != null; line = asked.readLine()) {
      if (line.equals("readers")) {
        readers();
      } else {
        say(open(URLDecoder.decode(line, StandardCharsets.UTF_8)));
      }
      ANSWERS.flush();
    }
  }

  private static void readers() throws Exception {
    try (ImageReader all = new ImageReader()) {
      say(List.of(FormatTools.VERSION, Integer.toString(all.getReaders().length)));
      for (IFormatReader reader : all.getReaders()) {
        List<String> answer = new ArrayList<>(List.of(reader.getClass().getSimpleName(), flag(reader, "suffixNecessary"),
          flag(reader, "suffixSufficient")));
        answer.addAll(List.of(reader.getSuffixes()));
        say(answer);
      }
    }
  }

  private static String flag(IFormatReader reader, String name) throws Exception {
    Field field = FormatReader.class.getDeclaredField(name);
    field.setAccessible(true);
    return Boolean.toString(field.getBoolean(reader));
  }

  /** The reader, "" or why it could not open the file, and the files that it uses, those first that it begins with. */
  private static List<String> open(String path) {
    List<String> answer = new ArrayList<>();
    ImageReader all = new ImageReader();
    try {
      answer.add(all.getReader(path).getClass().getSimpleName());
      answer.add("");
      all.setMetadataOptions(new DynamicMetadataOptions(MetadataLevel.MINIMUM));
      all.setId(path);
      for (boolean first : new boolean[] {true, false}) {
        for (loci.formats.FileInfo file : all.getAdvancedUsedFiles(false)) {
          if (file.usedToInitialize == first) {
            answer.add(file.filename);
          }
        }
      }
    } catch (Exception | Error fault) {
      while (answer.size() < 2) {
        answer.add("");
      }
      answer.set(1, fault.toString());
    } finally {
      try {
        all.close();
      } catch (Exception fault) {
        answer.set(1, fault.toString());
      }
    }
    return answer;
  }

  private static void say(List<String> words) {
    List<String> encoded = new ArrayList<>();
    for (String word : words) {
      encoded.add(URLEncoder.encode(word, StandardCharsets.UTF_8));
    }
    ANSWERS.println(String.join("\t", encoded));
  }
}
