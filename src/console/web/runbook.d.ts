/// Made by the build of the table in src/server/RUNBOOK.md: what the code of an attempt's error means, and what to do; "": nothing.
declare module "runbook" {
  const rows: [code: string, means: string, todo: string][];
  export default rows;
}
