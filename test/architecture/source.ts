// Reads a source file for what the architecture cares about: what it imports, as values or as types, and
// whether it writes to the console.
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import ts from 'typescript';

export interface Import {
  /** A file of ours (`src/net/clock.ts`), a package (`zod`) or a built-in (`node:net`). */
  readonly to: string;
  /** `type` leaves no trace at run time; `dynamic` is loaded when it is asked for. */
  readonly kind: 'value' | 'type' | 'dynamic';
}

export interface Source {
  readonly path: string;
  readonly imports: readonly Import[];
  /** What it writes to by itself: `console`, `process.stdout`, `process.stderr`. */
  readonly printsTo: readonly string[];
}

export function readSource(path: string, text: string): Source {
  const imports: Import[] = [];
  const printsTo: string[] = [];
  const add = (specifier: ts.Node | undefined, kind: Import['kind']) => {
    if (specifier && ts.isStringLiteralLike(specifier))
      imports.push({ to: resolved(path, specifier.text), kind });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      add(node.moduleSpecifier, isTypeImport(node.importClause) ? 'type' : 'value');
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, isTypeExport(node) ? 'type' : 'value');
    else if (ts.isImportTypeNode(node)) add((node.argument as ts.LiteralTypeNode).literal, 'type');
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], 'dynamic');
    } else if (ts.isPropertyAccessExpression(node)) {
      const name = node.getText();
      if (name === 'process.stdout' || name === 'process.stderr') printsTo.push(name);
      if (node.expression.getText() === 'console') printsTo.push('console');
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true));
  return { path, imports, printsTo };
}

function isTypeImport(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false; // import 'x': for what it does
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = clause.namedBindings;
  return (
    !clause.name &&
    !!named &&
    ts.isNamedImports(named) &&
    named.elements.every(({ isTypeOnly }) => isTypeOnly)
  );
}

function isTypeExport({ isTypeOnly, exportClause }: ts.ExportDeclaration): boolean {
  if (isTypeOnly) return true;
  return (
    !!exportClause && ts.isNamedExports(exportClause) && exportClause.elements.every(name => name.isTypeOnly)
  );
}

function resolved(from: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts');
}

/** Every TypeScript file of these folders, with paths as in the repository. */
export function readTree(...folders: string[]): Source[] {
  return folders.flatMap(folder =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map(name => posix.join(folder, name.replaceAll('\\', '/')))
      .filter(path => path.endsWith('.ts'))
      .map(path => readSource(path, readFileSync(path, 'utf8'))),
  );
}
